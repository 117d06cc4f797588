package measure

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Work is what a client is measured at.
type Work struct {
	// Each does item i. It is called by many goroutines at once.
	Each func(ctx context.Context, i int) error
	// Whole does n items in one call. A Work has one of the two.
	Whole func(ctx context.Context, n int) error
}

// Sample is one measurement.
type Sample struct {
	Items  int           // that the figures are for
	Wall   time.Duration // of the whole run
	CPU    time.Duration // user and system, of all threads
	Allocs uint64        // blocks of heap
	Bytes  uint64        // of heap
	Idle   int64         // bytes resident before, after a garbage collection
	Peak   int64         // bytes resident at most, less Idle
}

// Open makes a client and returns its workloads by name.
type Open func(ctx context.Context, config *rest.Config) (map[string]Work, error)

// Main measures the workload that the flags name and prints a [Sample] as JSON.
func Main(open Open) {
	if err := run(context.Background(), open); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, open Open) (err error) {
	kubeconfig := flag.String("kubeconfig", "", "kubeconfig of the server")
	workload := flag.String("workload", "", "what to measure")
	n := flag.Int("n", 1000, "items")
	warm := flag.Int("warm", 200, "items before the measurement")
	concurrency := flag.Int("concurrency", 64, "calls in flight, for workloads of single calls")
	rounds := flag.Int("rounds", 1, "how often a workload of many items is repeated")
	plain := flag.Bool("plain", false, "ask for answers without compression")
	first := flag.Bool("first", false, "do one item, print how many requests that took, and end")
	profile := flag.String("cpuprofile", "", "write a CPU profile of the measured part to this file")
	allocs := flag.String("memprofile", "", "write an allocation profile of the whole process to this file")
	flag.Parse()
	if *allocs != "" {
		runtime.MemProfileRate = 4096
		defer func() { err = errors.Join(err, writeAllocs(*allocs)) }()
	}

	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		return err
	}
	config.QPS = -1 // client-go and controller-runtime limit themselves to 5 requests/s otherwise
	config.DisableCompression = *plain
	var requests atomic.Int64
	if *first {
		config.Wrap(func(rt http.RoundTripper) http.RoundTripper { return counter{rt, &requests} })
	}
	works, err := open(ctx, config)
	if err != nil {
		return err
	}
	work, ok := works[*workload]
	if !ok {
		return fmt.Errorf("this client has no workload %q", *workload)
	}
	if *first {
		if err := work.do(ctx, 1, 1); err != nil {
			return err
		}
		fmt.Println(requests.Load())
		return nil
	}
	if err := work.do(ctx, *warm, *concurrency); err != nil {
		return fmt.Errorf("warm up %s: %w", *workload, err)
	}
	sample, err := measured(*profile, func() error {
		for range *rounds {
			if err := work.do(ctx, *n, *concurrency); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("%s: %w", *workload, err)
	}
	sample.Items = *n * *rounds
	return json.NewEncoder(os.Stdout).Encode(sample)
}

type counter struct {
	http.RoundTripper
	n *atomic.Int64
}

func (c counter) RoundTrip(r *http.Request) (*http.Response, error) {
	c.n.Add(1)
	return c.RoundTripper.RoundTrip(r)
}

func (w Work) do(ctx context.Context, n, concurrency int) error {
	if w.Whole != nil {
		return w.Whole(ctx, n)
	}
	return Parallel(n, concurrency, func(i int) error { return w.Each(ctx, i) })
}

// Parallel calls f with 0 to n-1, by a fixed number of goroutines, and returns the first error.
func Parallel(n, concurrency int, f func(i int) error) error {
	var next, failed atomic.Int64
	var first error
	var once sync.Once
	var wg sync.WaitGroup
	for range min(n, concurrency) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n || failed.Load() > 0 {
					return
				}
				if err := f(i); err != nil {
					failed.Add(1)
					once.Do(func() { first = fmt.Errorf("item %d: %w", i, err) })
				}
			}
		})
	}
	wg.Wait()
	return first
}

func writeAllocs(path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(pprof.Lookup("allocs").WriteTo(file, 0), file.Close())
}

func measured(profile string, f func() error) (Sample, error) {
	debug.FreeOSMemory() // collects garbage first
	resetPeak()
	idle, err := status("VmRSS")
	if err != nil {
		return Sample{}, err
	}
	if profile != "" {
		file, err := os.Create(profile)
		if err != nil {
			return Sample{}, err
		}
		defer func() { _ = file.Close() }() // a profile that is cut off does not load, and says so
		if err := pprof.StartCPUProfile(file); err != nil {
			return Sample{}, err
		}
		defer pprof.StopCPUProfile()
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, start := CPU(), time.Now()
	if err := f(); err != nil {
		return Sample{}, err
	}
	s := Sample{Wall: time.Since(start), CPU: CPU() - cpu, Idle: idle}
	runtime.ReadMemStats(&after)
	s.Allocs, s.Bytes = after.Mallocs-before.Mallocs, after.TotalAlloc-before.TotalAlloc
	peak, err := status("VmHWM")
	s.Peak = peak - idle
	return s, err
}

// CPU is what this process used so far, user and system.
func CPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // it has no way to fail with these arguments
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// resetPeak makes VmHWM start again from what is resident (proc_pid_clear_refs(5)). Where that is not allowed the peak is
// that of the process's life, which is no less than the one wanted.
func resetPeak() { _ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) }

func status(field string) (int64, error) {
	content, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(content)) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			var kilobytes int64
			_, err := fmt.Sscan(value, &kilobytes)
			return kilobytes << 10, err
		}
	}
	return 0, fmt.Errorf("/proc/self/status has no %s", field)
}
