package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

// kernelNamespace makes a child start in a fresh network namespace, which goes with the last process in it.
func kernelNamespace(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
}

// kernelMissing says why the kernel cannot be measured here, or nothing.
func kernelMissing() string {
	if os.Geteuid() != 0 {
		return "it needs root"
	}
	if _, err := exec.LookPath("ip"); err != nil {
		return "there is no ip command"
	}
	return ""
}

// kernel is the role "kernel": it programs the kernel of a namespace of its own, and has others listen.
type kernel struct {
	table    *prefixes
	conn     *netlink.Conn
	listener *child
	gateways gateways
	request  []netlink.Message
}

// startKernel starts the role.
func startKernel(json.RawMessage) (any, handlers, error) {
	k := &kernel{gateways: newGateways()}
	if err := k.makePorts(); err != nil {
		return nil, nil, err
	}
	var err error
	if k.conn, err = netlink.Dial(unix.NETLINK_ROUTE, nil); err != nil {
		return nil, nil, err
	}
	if k.listener, err = startChild(context.Background(), "kernel-listen", none{}, nil); err != nil {
		return nil, nil, err
	}
	return none{}, handlers{"table": handle(k.makeTable), "run": handle(k.run), "ip": handle(k.ipBatch)}, nil
}

// makePorts makes the ports that the switch has, as dummies or, where the kernel has none, as ends of pairs.
func (k *kernel) makePorts() error {
	var script strings.Builder
	script.WriteString("link set lo up\n")
	kind := "type dummy"
	if exec.Command("ip", "link", "add", "probe", "type", "dummy").Run() != nil {
		kind = "type veth peer name peer%d"
	}
	for port := range ports {
		name := portName(port)
		fmt.Fprintf(&script, "link add %s %s\nlink set %s up\n", name, strings.ReplaceAll(kind, "%d", fmt.Sprint(port)), name)
		if strings.Contains(kind, "peer") {
			fmt.Fprintf(&script, "link set peer%d up\n", port)
		}
		for _, a := range portAddresses(port) {
			fmt.Fprintf(&script, "address add %s dev %s%s\n", a, name, map[bool]string{true: " nodad"}[a.Addr().Is6()])
		}
	}
	cmd := exec.Command("ip", "-batch", "-")
	cmd.Stdin = strings.NewReader(script.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make links in a network namespace: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

func (k *kernel) makeTable(a tableArgs) (tableMade, error) {
	t, err := makeTable(a)
	if err != nil {
		return tableMade{}, err
	}
	k.table = t
	return tableMade{Routes: t.len()}, nil
}

// run does something with every route of the table by netlink, and waits until the listener has heard of all.
func (k *kernel) run(a runArgs) (out kernelRan, err error) {
	kind, flags := uint16(unix.RTM_NEWROUTE), netlink.Request|netlink.Create|netlink.Excl
	switch a.Action {
	case vasicv1.RouteAction_ROUTE_ACTION_REPLACE:
		flags = netlink.Request | netlink.Create | netlink.Replace
	case vasicv1.RouteAction_ROUTE_ACTION_DELETE:
		kind, flags = unix.RTM_DELROUTE, netlink.Request
	}
	ctx := context.Background()
	n := k.table.len()
	if err := k.listener.call(ctx, "expect", heardArgs{Type: kind, Count: n}, nil); err != nil {
		return out, err
	}
	sender, err := newMeter(os.Getpid())
	if err != nil {
		return out, err
	}
	listener, err := newMeter(k.listener.pid)
	if err != nil {
		return out, err
	}
	start := time.Now()
	for from := 0; from < n; from += kernelBatch {
		if err := k.send(from, min(from+kernelBatch, n), kind, flags, a.Shift); err != nil {
			return out, err
		}
	}
	if out.SenderCPU, err = sender.seconds(); err != nil {
		return out, err
	}
	var got heard
	if err := k.listener.call(ctx, "await", none{}, &got); err != nil {
		return out, err
	}
	out.Routes, out.Heard, out.Seconds = n, got.Count, time.Unix(0, got.End).Sub(start).Seconds()
	out.ListenCPU, err = listener.seconds()
	return out, err
}

// send sends one batch and waits until the kernel is through. The last message does nothing and asks for an answer, which comes after
// those of all that were refused.
func (k *kernel) send(from, to int, kind uint16, flags netlink.HeaderFlags, shift int) error {
	k.request = k.request[:0]
	for i := from; i < to; i++ {
		data, err := k.route(i, kind == unix.RTM_NEWROUTE, shift)
		if err != nil {
			return err
		}
		k.request = append(k.request, netlink.Message{Header: netlink.Header{Type: netlink.HeaderType(kind), Flags: flags}, Data: data})
	}
	k.request = append(k.request, netlink.Message{Header: netlink.Header{Type: netlink.Noop, Flags: netlink.Request | netlink.Acknowledge}})
	if _, err := k.conn.SendMessages(k.request); err != nil {
		return err
	}
	_, err := k.conn.Receive()
	return err
}

// route encodes a request about one route: struct rtmsg and its attributes.
func (k *kernel) route(i int, withHop bool, shift int) ([]byte, error) {
	text := k.table.at(i)
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return nil, err
	}
	family := byte(unix.AF_INET)
	if p.Addr().Is6() {
		family = unix.AF_INET6
	}
	b := make([]byte, 0, 64)
	b = append(b, family, byte(p.Bits()), 0, 0, unix.RT_TABLE_MAIN, protocolLoad, unix.RT_SCOPE_UNIVERSE, unix.RTN_UNICAST, 0, 0, 0, 0)
	if !withHop {
		b[6], b[7] = unix.RT_SCOPE_NOWHERE, 0
	}
	b = appendAttribute(b, unix.RTA_DST, p.Addr().AsSlice())
	if withHop {
		gateway, err := netip.ParseAddr(k.gateways.of(text, i, shift))
		if err != nil {
			return nil, err
		}
		b = appendAttribute(b, unix.RTA_GATEWAY, gateway.AsSlice())
	}
	return b, nil
}

// ipBatch adds every route of the table with `ip -batch`, while `ip monitor` prints.
func (k *kernel) ipBatch(none) (out ipRan, err error) {
	file, err := os.CreateTemp("", "vasic-bench")
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, os.Remove(file.Name())) }()
	w := bufio.NewWriter(file)
	for i := range k.table.len() {
		fmt.Fprintf(w, "route add %s via %s\n", k.table.at(i), k.gateways.of(k.table.at(i), i, 0))
	}
	if err := errors.Join(w.Flush(), file.Close()); err != nil {
		return out, err
	}
	monitor := exec.Command("ip", "monitor", "route")
	monitor.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	pipe, err := monitor.StdoutPipe()
	if err != nil {
		return out, err
	}
	if err := monitor.Start(); err != nil {
		return out, err
	}
	var lines, last atomic.Int64
	go func() {
		for s := bufio.NewScanner(pipe); s.Scan(); {
			lines.Add(1)
			last.Store(time.Now().UnixNano())
		}
	}()
	time.Sleep(monitorQuiet / 2) // it does not say when it listens
	batch := exec.Command("ip", "-batch", file.Name())
	batch.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	start := time.Now()
	text, err := batch.CombinedOutput()
	end := time.Now()
	for int(lines.Load()) < k.table.len() && time.Since(time.Unix(0, max(last.Load(), end.UnixNano()))) < monitorQuiet {
		time.Sleep(10 * time.Millisecond)
	}
	_ = monitor.Process.Kill()
	_ = monitor.Wait()
	if err != nil {
		return out, fmt.Errorf("ip -batch: %w: %.200s", err, text)
	}
	out.Routes, out.Printed = k.table.len(), int(lines.Load())
	out.Seconds = time.Unix(0, max(last.Load(), end.UnixNano())).Sub(start).Seconds()
	out.BatchCPU = (batch.ProcessState.UserTime() + batch.ProcessState.SystemTime()).Seconds()
	out.MonitorCPU = (monitor.ProcessState.UserTime() + monitor.ProcessState.SystemTime()).Seconds()
	return out, nil
}
