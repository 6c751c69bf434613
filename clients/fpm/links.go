package fpm

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"strconv"

	"google.golang.org/protobuf/types/known/fieldmaskpb"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

// LinkSource says what the links of the switch are called.
type LinkSource string

const (
	// LinksAuto is LinksKernel while the peer is seen to be a zebra in this process's network namespace, and else LinksIndex.
	LinksAuto LinkSource = "auto"
	// LinksKernel takes names and states of the links in this process's network namespace.
	LinksKernel LinkSource = "kernel"
	// LinksIndex makes names of interface indexes, such as if7. Such links are up.
	LinksIndex LinkSource = "index"
)

// linkNames says which link of the switch stands for an interface of the router's. It is guarded by the lock of its Router.
type linkNames struct {
	prefix  string               // of all names but lo
	kernel  bool                 // links are those of the kernel; else they are made of the index
	links   map[uint32]linkState // the kernel's, by ifindex
	own     map[ownAddress]bool  // the kernel's own addresses
	made    map[uint32]string    // names made of an index
	version uint64               // grows when a name changes
}

// ownAddress is an address that the kernel has on a link.
type ownAddress struct {
	link    uint32
	address netip.Addr
}

// linkState is what the kernel says of a link.
type linkState struct {
	name        string
	up, carrier bool
}

const (
	loopback      = "lo"
	loopbackIndex = 1 // in every network namespace of Linux
)

// name is the name of an interface, and false if it has none yet.
func (n *linkNames) name(index uint32) (string, bool) {
	if n.kernel {
		l, ok := n.links[index]
		return n.prefixed(l.name), ok
	}
	name, ok := n.made[index]
	if !ok {
		name = loopback
		if index != loopbackIndex {
			name = n.prefixed("if" + strconv.FormatUint(uint64(index), 10))
		}
		n.made[index] = name
	}
	return name, true
}

func (n *linkNames) prefixed(name string) string {
	if name == loopback {
		return name
	}
	return n.prefix + name
}

// useLinks decides whether links are the kernel's. Called with mu held.
func (r *Router) useLinks(kernel bool) {
	if kernel == r.rib.links.kernel {
		return
	}
	r.rib.links.kernel = kernel
	r.rib.relink()
	if kernel {
		r.watchLinks()
	}
}

// owns says whether a route leads to the router itself: zebra sends its own addresses as routes to the link that has them.
func (n *linkNames) owns(k key, p *paths) bool {
	if !n.kernel || !k.prefix.IsSingleIP() || len(p.list) != 1 || p.list[0].gateway.IsValid() {
		return false
	}
	return n.own[ownAddress{p.list[0].link, k.prefix.Addr()}]
}

// relink notes that names of links, or the router's own addresses, have changed.
func (r *rib) relink() {
	r.links.version++
	for _, e := range r.entries {
		if e.message != nil {
			r.markDirty(e)
		}
	}
}

// setLinks takes over the kernel's links and addresses.
func (r *Router) setLinks(k kernelLinks) {
	r.locked(func() {
		names := r.rib.links
		changed := !maps.Equal(names.own, k.own)
		for index, l := range k.links {
			changed = changed || names.links[index].name != l.name
		}
		names.links, names.own = k.links, k.own
		if changed && names.kernel {
			r.rib.relink()
		}
	})
	select {
	case r.wakeLinks <- struct{}{}:
	default:
	}
}

// linkKeeper makes the links that routes need, and passes on the state of the kernel's. It belongs to the programming goroutine.
type linkKeeper struct {
	*Router
	made map[string]linkState // that the switch has
}

// need makes the links of next hops that the switch may not have.
func (k *linkKeeper) need(ctx context.Context, hops []*vasicv1.NextHop) error {
	for _, h := range hops {
		if h.Device == "" {
			continue
		}
		if _, ok := k.made[h.Device]; ok {
			continue
		}
		if err := k.make(ctx, linkState{name: h.Device, up: true, carrier: true}, false); err != nil {
			return err
		}
	}
	return nil
}

// update makes the switch's links what the kernel's are.
func (k *linkKeeper) update(ctx context.Context) error {
	links := map[string]linkState{}
	kernel := false
	k.locked(func() {
		kernel = k.rib.links.kernel
		for _, l := range k.rib.links.links {
			l.name = k.rib.links.prefixed(l.name)
			links[l.name] = l
		}
	})
	if !kernel {
		return nil
	}
	for name, l := range links {
		if name == loopback || k.made[name] == l {
			continue
		}
		if err := k.make(ctx, l, true); err != nil {
			return err
		}
	}
	for name := range maps.Clone(k.made) {
		if _, ok := links[name]; ok {
			continue
		}
		delete(k.made, name)
		if _, err := k.client.Links.DeleteLink(ctx, &vasicv1.DeleteLinkRequest{Name: name}); err != nil && !isRefusal(err) {
			return err
		}
	}
	return nil
}

// make creates a link that the switch does not have, and gives it its state. The state of one that it has is its owner's
// business, unless force is set.
func (k *linkKeeper) make(ctx context.Context, l linkState, force bool) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := k.client.Links.CreateLink(ctx, &vasicv1.CreateLinkRequest{Link: &vasicv1.Link{Name: l.name}})
	switch {
	case err == nil:
		k.logger.Info("made a link", "link", l.name)
		force = true
	case !isRefusal(err):
		return err
	case !errors.Is(err, vasic.ErrLinkExists):
		k.logger.Warn("the switch refuses a link", "link", l.name, "error", err)
		k.made[l.name] = l
		return nil
	}
	k.made[l.name] = l
	if !force {
		return nil
	}
	_, err = k.client.Links.UpdateLink(ctx, &vasicv1.UpdateLinkRequest{
		Link:       &vasicv1.Link{Name: l.name, Up: l.up, Carrier: l.carrier},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"up", "carrier"}},
	})
	if err != nil && !isRefusal(err) {
		return err
	}
	return nil
}

// isRefusal says whether an error is a decision of the switch's rather than one of the connection to it.
func isRefusal(err error) bool {
	e, ok := vasic.AsError(err)
	return ok && e.Reason != vasicv1.ErrorReason_ERROR_REASON_UNSPECIFIED && e.Reason != vasicv1.ErrorReason_ERROR_REASON_SHUTTING_DOWN
}
