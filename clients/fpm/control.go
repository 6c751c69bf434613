package fpm

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Handler serves what can be done to routers while they run:
//
//	GET    /faults       the faults in force, as JSON
//	POST   /faults       changes those named: delay=200ms&lost=0.1, with the keys of Faults.Values
//	DELETE /faults       ends them
//	POST   /disconnect   ends zebra's connection
//
// All of them are about every router, or with router=NAME about one.
func Handler(routers []*Router) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /faults", func(w http.ResponseWriter, q *http.Request) {
		chosen, err := choose(routers, q)
		if err == nil {
			err = writeFaults(w, chosen)
		}
		refuse(w, err)
	})
	mux.HandleFunc("POST /faults", func(w http.ResponseWriter, q *http.Request) {
		chosen, err := choose(routers, q)
		if err == nil {
			err = changeFaults(chosen, q)
		}
		if err == nil {
			err = writeFaults(w, chosen)
		}
		refuse(w, err)
	})
	mux.HandleFunc("DELETE /faults", func(w http.ResponseWriter, q *http.Request) {
		chosen, err := choose(routers, q)
		for _, r := range chosen {
			err = errors.Join(err, r.SetFaults(Faults{}))
		}
		refuse(w, err)
	})
	mux.HandleFunc("POST /disconnect", func(w http.ResponseWriter, q *http.Request) {
		chosen, err := choose(routers, q)
		if err == nil {
			err = disconnect(chosen)
		}
		refuse(w, err)
	})
	return mux
}

// choose is the routers that a request is about.
func choose(routers []*Router, q *http.Request) ([]*Router, error) {
	if err := q.ParseForm(); err != nil {
		return nil, err
	}
	name := q.Form.Get("router")
	if name == "" {
		return routers, nil
	}
	for _, r := range routers {
		if r.Name() == name {
			return []*Router{r}, nil
		}
	}
	return nil, fmt.Errorf("no router is called %q", name)
}

// disconnect ends the connections that there are. It fails if there is none.
func disconnect(routers []*Router) error {
	err := errNoConnection
	for _, r := range routers {
		if r.Disconnect() == nil {
			err = nil
		}
	}
	return err
}

// changeFaults sets the faults that a form names, in all routers or, if one cannot be read, in none.
func changeFaults(routers []*Router, q *http.Request) error {
	changed := make([]Faults, len(routers))
	for i, r := range routers {
		changed[i] = r.Faults()
		for name, values := range q.Form {
			if name == "router" {
				continue
			}
			if err := changed[i].Set(name + "=" + values[len(values)-1]); err != nil {
				return err
			}
		}
	}
	for i, r := range routers {
		if err := r.SetFaults(changed[i]); err != nil {
			return err
		}
	}
	return nil
}

func writeFaults(w http.ResponseWriter, routers []*Router) error {
	all := make(map[string]map[string]string, len(routers))
	for _, r := range routers {
		faults := r.Faults()
		one := map[string]string{}
		for _, text := range faults.Values() {
			name, value, _ := strings.Cut(text, "=")
			one[name] = value
		}
		all[r.Name()] = one
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(all)
}

// refuse answers a request that cannot be carried out.
func refuse(w http.ResponseWriter, err error) {
	if err == nil {
		return
	}
	http.Error(w, err.Error(), http.StatusBadRequest)
}
