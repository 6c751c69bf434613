package fpm_test

import (
	"testing"

	"testing/synctest"

	"github.com/vasic-project/vasic/clients/fpm"
	"github.com/vasic-project/vasic/server"
)

func TestARouteIsAnsweredWhenHardwareHasIt(t *testing.T) {
	inBubble(t, server.Config{}, fpm.Config{}, func(t *testing.T, r *rig) {
		z := r.connect()
		z.say(object(5, "10.0.12.2", 2))
		z.say(spec{prefix: "203.0.113.0/24", hopID: 5}.set())
		z.expect("203.0.113.0/24 offload")
		route := r.routes()["203.0.113.0/24"]
		if route == nil || route.NextHops[0].Gateway != "10.0.12.2" || route.NextHops[0].Device != "if2" || !route.Offload {
			t.Errorf("the switch has %v", route)
		}
		z.say(spec{prefix: "203.0.113.0/24", hopID: 5}.unset())
		z.expect()
		synctest.Wait()
		if n := len(r.routes()); n != 0 {
			t.Errorf("the switch has %d routes", n)
		}
	})
}
