package replay

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/util/cert"

	"github.com/kubesdk/kubesdk/bench/internal/object"
	"github.com/kubesdk/kubesdk/bench/internal/record"
)

// What the API server sets for its connections (k8s.io/apiserver/pkg/server/secure_serving.go).
const (
	streamsPerConnection = 100
	receiveStream        = 24 << 10
	receiveConnection    = streamsPerConnection * receiveStream
)

// gzipAbove is the size of the answers that the API server compresses, in bytes.
const gzipAbove = 128 << 10

// Server replays one recording.
type Server struct {
	recording *record.Recording
	lists     map[string]*list // by resource and format

	mu         sync.Mutex
	compressed map[string]func() ([]byte, error) // by resource, format and length
}

// New makes a Server.
func New(r *record.Recording) (*Server, error) {
	s := &Server{recording: r, lists: map[string]*list{}, compressed: map[string]func() ([]byte, error){}}
	for key, answer := range map[string]record.Answer{
		"pods " + record.Protobuf: r.Pods[record.Protobuf], "pods " + record.JSON: r.Pods[record.JSON], object.ApplicationPlural + " " + record.JSON: r.Applications,
	} {
		l, err := parseList(answer)
		if err != nil {
			return nil, err
		}
		if len(l.items) == 0 {
			return nil, fmt.Errorf("the recorded list of %s is empty", key)
		}
		s.lists[key] = l
	}
	return s, nil
}

// Serve listens on loopback, writes a kubeconfig for itself, and serves until ctx ends.
func (s *Server) Serve(ctx context.Context, kubeconfig string) error {
	certificate, key, err := cert.GenerateSelfSignedCertKey("127.0.0.1", []net.IP{net.IPv4(127, 0, 0, 1)}, nil)
	if err != nil {
		return err
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	config := clientcmdapi.NewConfig()
	config.Clusters["replay"] = &clientcmdapi.Cluster{Server: "https://" + listener.Addr().String(), CertificateAuthorityData: certificate}
	config.Contexts["replay"] = &clientcmdapi.Context{Cluster: "replay"}
	config.CurrentContext = "replay"
	if err := clientcmd.WriteToFile(*config, kubeconfig); err != nil {
		return err
	}
	server := &http.Server{
		Handler: s, ReadHeaderTimeout: time.Minute,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2", "http/1.1"}, MinVersion: tls.VersionTLS12},
		HTTP2:     &http.HTTP2Config{MaxConcurrentStreams: streamsPerConnection, MaxReceiveBufferPerStream: receiveStream, MaxReceiveBufferPerConnection: receiveConnection},
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() }) // nothing of it is wanted any more
	defer stop()
	if err := server.ServeTLS(listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// ServeHTTP answers as the recorded server did.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	format := record.JSON
	if strings.Contains(r.Header.Get("Accept"), record.Protobuf) {
		format = record.Protobuf
	}
	_, after, _ := strings.Cut(path, "/namespaces/")
	namespace, rest, _ := strings.Cut(after, "/")
	n, counted := object.Count(namespace)
	known, recorded := s.recording.Discovery[path]
	switch {
	case rest == "deployments" && r.Method == http.MethodPost:
		_, _ = io.Copy(io.Discard, r.Body) // a client that broke off finds no answer anyway
		answer(w, http.StatusCreated, s.recording.Created[format])
	case strings.HasPrefix(rest, "deployments/") && r.Method == http.MethodGet:
		answer(w, http.StatusOK, s.recording.Deployment[format])
	case rest == "pods" && counted && r.URL.Query().Get("watch") != "":
		s.watch(w, r, s.recording.Events[format], n)
	case counted && s.lists[rest+" "+format] != nil:
		s.list(w, r, rest+" "+format, n)
	case counted && s.lists[rest+" "+record.JSON] != nil:
		s.list(w, r, rest+" "+record.JSON, n)
	case recorded:
		answer(w, http.StatusOK, known)
	default:
		http.Error(w, fmt.Sprintf("nothing is recorded for %s %s", r.Method, r.URL), http.StatusNotFound)
	}
}

func answer(w http.ResponseWriter, status int, a record.Answer) {
	w.Header()["Content-Type"] = []string{a.ContentType}
	w.WriteHeader(status)
	_, _ = w.Write(a.Body) // a client that is gone needs no answer
}

func (s *Server) list(w http.ResponseWriter, r *http.Request, key string, n int) {
	l := s.lists[key]
	w.Header()["Content-Type"] = []string{l.contentType}
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") && n*len(l.items[0]) > gzipAbove {
		body, err := s.gzip(key, n)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header()["Content-Encoding"] = []string{"gzip"}
		_, _ = w.Write(body) // a client that is gone needs no answer
		return
	}
	buffered := bufio.NewWriterSize(w, 64<<10)
	_ = l.write(buffered, n) // likewise
	_ = buffered.Flush()
}

// gzip compresses a list once.
func (s *Server) gzip(key string, n int) ([]byte, error) {
	s.mu.Lock()
	id := fmt.Sprint(key, " ", n)
	once, ok := s.compressed[id]
	if !ok {
		once = sync.OnceValues(func() ([]byte, error) { return s.lists[key].compressed(n) })
		s.compressed[id] = once
	}
	s.mu.Unlock()
	return once()
}

// watch sends n events and then nothing, until the client goes. A watch that asks for what is there first finds nothing.
func (s *Server) watch(w http.ResponseWriter, r *http.Request, stream record.Stream, n int) {
	w.Header()["Content-Type"] = []string{stream.ContentType}
	buffered := bufio.NewWriterSize(w, 64<<10)
	if r.URL.Query().Get("sendInitialEvents") == "true" {
		_, _ = buffered.Write(stream.Bookmark) // Flush tells of errors, and then the client is gone
	}
	for i := range n {
		_, _ = buffered.Write(stream.Frames[i%len(stream.Frames)])
	}
	_ = buffered.Flush()
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}
