package server_test

import (
	"testing"
	"testing/synctest"
	"fmt"

	"github.com/vasic-project/vasic/server"
)

func TestSmoke(t *testing.T) {
	inAPIBubble(t, server.Config{}, func(r *apiRig) {
		r.add(apiRoute("192.0.2.0/24", via("10.0.1.2")))
		synctest.Wait()
		fmt.Println(r.everything())
	})
}
