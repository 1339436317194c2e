// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A load is bounded: so many clients, and so many requests of each in a round.
const (
	clients  = 8
	requests = 300
)

// kindRedis executes redis-server in the state.
const kindRedis = "redis"

// measured is what one round of load gives.
type measured struct{ perSecond, p99 float64 }

// server is something to put under load.
type server struct {
	name, kind string
	program    string // that has to be installed
	load       func(ctx context.Context, port uint16) (measured, error)
}

var servers = []server{
	{extraHTTP, kindHTTP, "", loadHTTP},
	{extraRedis, kindRedis, "redis-server", loadRedis},
}

// loads has each server run in every state, and puts them under load in turns.
func (r *run) loads(ctx context.Context) error {
	for _, s := range servers {
		if !r.wants(s.name) {
			continue
		}
		if s.program != "" {
			if _, err := exec.LookPath(s.program); err != nil {
				r.report.Skipped = append(r.report.Skipped, Missing{s.name, "all states", s.program + " is not installed"})
				continue
			}
		}
		values := map[string][]measured{}
		for _, w := range []world{plain, loadedBPF} {
			if err := r.loadsInWorld(ctx, s, w, values); err != nil {
				return err
			}
		}
		for _, state := range r.report.States {
			if all := values[state.Name]; len(all) > 0 {
				r.report.Loads = append(r.report.Loads, loadOf(s.name, state.Name, all, values[None]))
			}
		}
	}
	return nil
}

func loadOf(server, state string, all, none []measured) Load {
	take := func(m []measured, f func(measured) float64) (out []float64) {
		for _, v := range m {
			out = append(out, f(v))
		}
		return out
	}
	rate := func(m measured) float64 { return m.perSecond }
	slowness := func(m measured) float64 { return 1 / m.perSecond }
	p99 := func(m measured) float64 { return m.p99 }
	l := Load{Server: server, State: state, PerSecond: summarize(take(all, rate)), P99: summarize(take(all, p99))}
	if state != None {
		to := Variant{State: None}
		slower, later := compare(to, take(all, slowness), take(none, slowness)), compare(to, take(all, p99), take(none, p99))
		l.Throughput, l.Latency = &slower, &later
	}
	return l
}

func (r *run) loadsInWorld(ctx context.Context, s server, w world, values map[string][]measured) (err error) {
	var states []State
	for _, state := range r.report.States {
		if state.world == w && (state.Name == None || state.restricts() && !state.ports || state.Name == BPFElse) {
			states = append(states, state)
		}
	}
	if len(states) == 0 {
		return nil
	}
	leave, err := w.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, leave()) }()
	r.tell(s.name)
	var here []*process
	defer func() {
		for _, p := range here {
			_ = p.cmd.Process.Signal(unix.SIGTERM)
			_ = p.end() // by that signal
		}
	}()
	for _, state := range states {
		v := Variant{State: state.Name}
		if state.restricts() {
			v = Variant{state.Name, few, 1}
		}
		p, err := startChild(ctx, r.report.CPU, s.kind, v)
		if err == nil {
			here = append(here, p)
			err = answers(p.port)
		}
		if err != nil {
			return fmt.Errorf("%s in %v: %w: %s", s.name, v, err, &p.stderr)
		}
	}
	const warmUp = 2
	for round := range warmUp + max(7, sizes[r.Size].rounds/2) {
		for _, i := range r.rnd.Perm(len(here)) {
			m, err := s.load(ctx, here[i].port)
			if err != nil {
				return fmt.Errorf("%s in %v: %w", s.name, here[i].variant, err)
			}
			if name := here[i].variant.State; round >= warmUp {
				values[name] = append(values[name], m)
			}
		}
	}
	return nil
}

// answers waits until somebody listens on the port.
func answers(port uint16) error {
	for begin := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		c, err := net.Dial("tcp", address(port))
		if err == nil {
			return c.Close()
		}
		if time.Since(begin) > 10*time.Second {
			return fmt.Errorf("the server does not answer: %w", err)
		}
	}
}

func address(port uint16) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port))) }

// serveHTTP answers until the parent has enough.
func serveHTTP(j job) error {
	l, err := net.Listen("tcp", address(j.Port))
	if err != nil {
		return err
	}
	body := bytes.Repeat([]byte("x"), 1024)
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) }))
}

// loadHTTP has clients that make a new connection for every tenth request.
func loadHTTP(ctx context.Context, port uint16) (measured, error) {
	times := make([][]time.Duration, clients)
	errs := make([]error, clients)
	var wg sync.WaitGroup
	begin := time.Now()
	for i := range clients {
		wg.Go(func() { times[i], errs[i] = oneClient(ctx, port) })
	}
	wg.Wait()
	took := time.Since(begin)
	all := slices.Concat(times...)
	if err := errors.Join(errs...); err != nil || len(all) == 0 {
		return measured{}, errors.Join(errors.New("requests failed"), err)
	}
	slices.Sort(all)
	return measured{float64(len(all)) / took.Seconds(), float64(all[len(all)*99/100].Nanoseconds()) / 1e3}, nil
}

func oneClient(ctx context.Context, port uint16) (times []time.Duration, err error) {
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport, Timeout: 10 * time.Second}
	for n := range requests {
		if n%10 == 0 {
			transport.CloseIdleConnections()
		}
		begin := time.Now()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address(port)+"/", http.NoBody)
		if err != nil {
			return nil, err
		}
		answer, err := client.Do(req)
		if err != nil {
			return nil, err
		}
		_, err = io.Copy(io.Discard, answer.Body)
		if err := errors.Join(err, answer.Body.Close()); err != nil {
			return nil, err
		}
		times = append(times, time.Since(begin))
	}
	return times, nil
}

// redisServer is its command line: nothing is written to a disk.
func redisServer(port uint16) []string {
	return []string{"redis-server", "--port", strconv.Itoa(int(port)), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--daemonize", "no"}
}

func loadRedis(ctx context.Context, port uint16) (measured, error) {
	out, err := exec.CommandContext(ctx, "redis-benchmark", "-h", "127.0.0.1", "-p", strconv.Itoa(int(port)),
		"-n", strconv.Itoa(5*clients*requests), "-c", strconv.Itoa(2*clients), "-t", "get", "--csv").Output()
	if err != nil {
		return measured{}, fmt.Errorf("redis-benchmark: %w", err)
	}
	rows, err := csv.NewReader(bytes.NewReader(out)).ReadAll()
	if err != nil || len(rows) < 2 {
		return measured{}, fmt.Errorf("redis-benchmark says %.100q: %w", out, errors.Join(err, errNotHere))
	}
	field := func(name string) float64 {
		i := slices.Index(rows[0], name)
		if i < 0 {
			return 0
		}
		v, _ := strconv.ParseFloat(rows[1][i], 64) // 0 is refused below
		return v
	}
	m := measured{field("rps"), field("p99_latency_ms") * 1e3}
	if m.perSecond == 0 || m.p99 == 0 {
		return m, fmt.Errorf("redis-benchmark is of another version: it says %.200q", out)
	}
	return m, nil
}
