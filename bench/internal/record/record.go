package record

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/batch"
	"github.com/kubesdk/kubesdk/bench/internal/object"
)

// The formats of answers.
const (
	JSON     = "application/json"
	Protobuf = "application/vnd.kubernetes.protobuf"
)

// Answer is what the server sent.
type Answer struct {
	ContentType string
	Body        []byte
}

// Stream is the events of a watch, one frame each as it was on the wire.
type Stream struct {
	ContentType string
	Bookmark    []byte // that ends the initial list of a watch that asked for one
	Frames      [][]byte
}

// Recording is everything that the replay server knows.
type Recording struct {
	Server       string            // version
	Deployment   map[string]Answer // GET of it, by format
	Created      map[string]Answer // POST of it, by format
	Pods         map[string]Answer // list, by format
	Applications Answer            // list, in JSON
	Events       map[string]Stream // of pods, by format
	Discovery    map[string]Answer // by path
}

// Sizes say how much is recorded.
type Sizes struct{ Pods, Applications, Events int }

const namespace = "bench-record"

// Save writes r to a file.
func (r *Recording) Save(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := gob.NewEncoder(f).Encode(r); err != nil {
		_ = f.Close() // the first error is the one to tell
		return fmt.Errorf("write %s: %w", path, err)
	}
	return f.Close()
}

// Load reads what [Recording.Save] wrote.
func Load(path string) (*Recording, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	var r Recording
	if err := gob.NewDecoder(bufio.NewReader(f)).Decode(&r); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return &r, nil
}

// From makes the benchmarks' objects on a server, takes down its answers, and deletes the objects again.
func From(ctx context.Context, config *rest.Config, sizes Sizes) (_ *Recording, err error) {
	c, err := kubesdk.New(config, kubesdk.Timeout(time.Minute))
	if err != nil {
		return nil, err
	}
	defer c.Close()
	plain := rest.CopyConfig(config)
	plain.DisableCompression = true
	hc, err := rest.HTTPClientFor(plain)
	if err != nil {
		return nil, err
	}
	s := &session{client: c, http: hc, host: strings.TrimSuffix(config.Host, "/"), recording: &Recording{
		Deployment: map[string]Answer{}, Created: map[string]Answer{}, Pods: map[string]Answer{}, Events: map[string]Stream{}, Discovery: map[string]Answer{},
	}}
	defer func() {
		if e := s.clean(context.WithoutCancel(ctx)); err == nil {
			err = e
		}
	}()
	for _, step := range []func(context.Context, Sizes) error{s.prepare, s.deployment, s.pods, s.applications, s.events, s.discovery} {
		if err := step(ctx, sizes); err != nil {
			return nil, fmt.Errorf("record: %w", err)
		}
	}
	return s.recording, nil
}

type session struct {
	client    *kubesdk.Client
	http      *http.Client
	host      string
	recording *Recording
}

func (s *session) prepare(ctx context.Context, _ Sizes) error {
	namespaces := kubesdk.For[*corev1.Namespace](s.client)
	_, err := namespaces.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
	if err != nil {
		return err
	}
	// Pods are refused until the controller manager made the account they run as.
	accounts := kubesdk.For[*corev1.ServiceAccount](s.client).Namespace(namespace)
	if err := until(ctx, func() (bool, error) { _, ok, err := accounts.Lookup(ctx, "default"); return ok, err }); err != nil {
		return err
	}
	definitions := kubesdk.For[*apiextensionsv1.CustomResourceDefinition](s.client, kubesdk.Type(kubesdk.TypeInfo{
		GroupVersionKind: apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"), Plural: "customresourcedefinitions",
	}))
	if _, err := definitions.Create(ctx, definition()); err != nil {
		return err
	}
	return until(ctx, func() (bool, error) {
		crd, err := definitions.Get(ctx, definition().Name)
		for _, condition := range crd.Status.Conditions {
			if condition.Type == apiextensionsv1.Established && condition.Status == apiextensionsv1.ConditionTrue {
				return true, err
			}
		}
		return false, err
	})
}

func (s *session) clean(ctx context.Context) error {
	definitions := kubesdk.For[*apiextensionsv1.CustomResourceDefinition](s.client, kubesdk.Type(kubesdk.TypeInfo{
		GroupVersionKind: apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"), Plural: "customresourcedefinitions",
	}))
	if err := kubesdk.For[*corev1.Pod](s.client).Namespace(namespace).DeleteAll(ctx, kubesdk.Timeout(5*time.Minute)); err != nil {
		return err
	}
	if err := definitions.Delete(ctx, definition().Name); err != nil {
		return err
	}
	return kubesdk.For[*corev1.Namespace](s.client).Delete(ctx, namespace)
}

func (s *session) deployment(ctx context.Context, _ Sizes) error {
	const path = "/apis/apps/v1/namespaces/" + namespace + "/deployments"
	for _, format := range []string{Protobuf, JSON} {
		d := object.Deployment(namespace, "shop")
		body, err := encode(d, format)
		if err != nil {
			return err
		}
		if s.recording.Created[format], err = s.ask(ctx, http.MethodPost, path, format, body); err != nil {
			return err
		}
		if s.recording.Deployment[format], err = s.ask(ctx, http.MethodGet, path+"/shop", format, nil); err != nil {
			return err
		}
		if err := kubesdk.For[*appsv1.Deployment](s.client).Namespace(namespace).Delete(ctx, "shop"); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) pods(ctx context.Context, sizes Sizes) error {
	all := make([]*corev1.Pod, sizes.Pods)
	for i := range all {
		all[i] = object.Pod(namespace, fmt.Sprintf("shop-7d9c6b8f5d-%05d", i))
	}
	handle := kubesdk.For[*corev1.Pod](s.client).Namespace(namespace)
	if _, err := batch.Do(ctx, all, func(ctx context.Context, pod *corev1.Pod) (*corev1.Pod, error) {
		made, err := handle.Create(ctx, pod)
		if err != nil {
			return nil, err
		}
		made.Status = object.PodStatus(0)
		return handle.Status().Replace(ctx, made)
	}, batch.StopOnError()); err != nil {
		return err
	}
	for _, format := range []string{Protobuf, JSON} {
		var err error
		if s.recording.Pods[format], err = s.ask(ctx, http.MethodGet, "/api/v1/namespaces/"+namespace+"/pods", format, nil); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) applications(ctx context.Context, sizes Sizes) error {
	all := make([]*object.Application, sizes.Applications)
	for i := range all {
		all[i] = object.NewApplication(namespace, fmt.Sprintf("shop-%05d", i))
	}
	handle := kubesdk.For[*object.Application](s.client).Namespace(namespace)
	if _, err := batch.Create(ctx, handle, all, batch.StopOnError()); err != nil {
		return err
	}
	path := "/apis/" + object.ApplicationKind.GroupVersion().String() + "/namespaces/" + namespace + "/" + object.ApplicationPlural
	var err error
	s.recording.Applications, err = s.ask(ctx, http.MethodGet, path, JSON, nil)
	return err
}

// events changes pods for as long as the watches of both formats want more.
func (s *session) events(ctx context.Context, sizes Sizes) error {
	handle := kubesdk.For[*corev1.Pod](s.client).Namespace(namespace)
	list, err := handle.List(ctx, kubesdk.Limit(200))
	if err != nil {
		return err
	}
	watches, ctx := errgroup.WithContext(ctx)
	enough, stop := context.WithCancel(ctx)
	defer stop()
	var wanted atomic.Int64
	var lock sync.Mutex
	for _, format := range []string{Protobuf, JSON} {
		wanted.Add(1)
		watches.Go(func() error {
			stream, err := s.watch(ctx, format, sizes.Events)
			if err != nil {
				return fmt.Errorf("watch in %s: %w", format, err)
			}
			lock.Lock()
			s.recording.Events[format] = stream
			lock.Unlock()
			if wanted.Add(-1) == 0 {
				stop()
			}
			return nil
		})
	}
	_, err = batch.Do(ctx, list.Items, func(ctx context.Context, pod *corev1.Pod) (*corev1.Pod, error) {
		for generation := 1; enough.Err() == nil; generation++ {
			var err error
			pod.Status = object.PodStatus(generation)
			if pod, err = handle.Status().Replace(ctx, pod); err != nil {
				return nil, err
			}
		}
		return pod, nil
	}, batch.StopOnError(), batch.InFlight(len(list.Items)))
	return errors.Join(watches.Wait(), err)
}

// watch takes down n events of pods, and the bookmark that a watch with an initial list has. The API server drops watches
// that cannot keep up; then it begins another and goes on with what that has.
func (s *session) watch(ctx context.Context, format string, n int) (stream Stream, err error) {
	for range 100 {
		if err := s.watchOnce(ctx, format, n, &stream); err != nil || len(stream.Frames) >= n {
			return stream, err
		}
	}
	return stream, fmt.Errorf("got %d of %d events in 100 watches", len(stream.Frames), n)
}

func (s *session) watchOnce(ctx context.Context, format string, n int, stream *Stream) error {
	accept := format
	if format == Protobuf {
		accept += ";stream=watch"
	}
	const path = "/api/v1/namespaces/" + namespace + "/pods?watch=true&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
	res, err := s.send(ctx, http.MethodGet, path, accept, nil)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }() // the stream has no end of its own
	stream.ContentType = res.Header.Get("Content-Type")
	frames := bufio.NewReaderSize(res.Body, 1<<20)
	for present := true; len(stream.Frames) < n; {
		frame, err := next(frames, format)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case bytes.Contains(frame, []byte("BOOKMARK")):
			if present {
				stream.Bookmark, present = frame, false
			}
		case !present:
			stream.Frames = append(stream.Frames, frame)
		}
	}
	return nil
}

// next reads one frame: a line of JSON, or a message with its length in four bytes before it.
func next(r *bufio.Reader, format string) ([]byte, error) {
	if format == JSON {
		return r.ReadBytes('\n')
	}
	head := make([]byte, 4)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	frame := make([]byte, 4+binary.BigEndian.Uint32(head))
	copy(frame, head)
	_, err := io.ReadFull(r, frame[4:])
	return frame, err
}

// discovery takes down what clients ask that map kinds to resources.
func (s *session) discovery(ctx context.Context, _ Sizes) error {
	const aggregated = JSON + ";g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
	for path, accept := range map[string]string{
		"/api": aggregated, "/apis": aggregated, "/version": JSON, "/api/v1": JSON, "/apis/apps/v1": JSON,
		"/apis/" + object.ApplicationKind.GroupVersion().String(): JSON,
	} {
		answer, err := s.ask(ctx, http.MethodGet, path, accept, nil)
		if err != nil {
			return err
		}
		s.recording.Discovery[path] = answer
		if path == "/version" {
			s.recording.Server = version(answer.Body)
		}
	}
	return nil
}
