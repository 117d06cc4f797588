package transport

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
)

// compressed is an answer as a server sends it.
func compressed(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// body is the plain body of an answer with these bytes, which come one at a time.
func body(sent []byte) *http.Response {
	res := &http.Response{
		Header: http.Header{"Content-Encoding": {"gzip"}, "Content-Length": {"1"}}, ContentLength: int64(len(sent)),
		Body: io.NopCloser(iotest.OneByteReader(bytes.NewReader(sent))),
	}
	decompressed(res)
	return res
}

func TestGunzip(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("pods, and more pods. ", 10_000)
	sent := compressed(t, text)
	for range 3 { // what an answer leaves behind serves the next
		res := body(sent)
		got, err := io.ReadAll(res.Body)
		if err != nil || string(got) != text {
			t.Fatalf("%d bytes, %v; want %d", len(got), err, len(text))
		}
		if n, err := res.Body.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("after the end: %d, %v", n, err)
		}
		if err := res.Body.Close(); err != nil {
			t.Error(err)
		}
		if res.ContentLength != -1 || len(res.Header) != 0 {
			t.Errorf("length %d and header %v are of the compressed body", res.ContentLength, res.Header)
		}
	}
}

// readAll is what an answer with these bytes says.
func readAll(t *testing.T, sent []byte) ([]byte, error) {
	t.Helper()
	res := body(sent)
	defer func() { _ = res.Body.Close() }()
	return io.ReadAll(res.Body)
}

func TestGunzipOfABrokenBody(t *testing.T) {
	t.Parallel()
	sent := compressed(t, strings.Repeat("pods ", 2000))
	for cut := range len(sent) {
		_, err := readAll(t, sent[:cut])
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("cut after %d of %d bytes: %v, want an unexpected end", cut, len(sent), err)
		}
	}
	garbled := bytes.Clone(sent)
	garbled[len(garbled)-6] ^= 1 // in the checksum
	if _, err := readAll(t, garbled); err == nil {
		t.Error("a wrong checksum was not noticed")
	}
	if _, err := readAll(t, []byte("this is not gzip at all")); err == nil {
		t.Error("text was taken for gzip")
	}
}

func TestGunzipLeftEarly(t *testing.T) {
	t.Parallel()
	sent := compressed(t, strings.Repeat("pods ", 2000))
	for _, read := range []int{0, 10} {
		res := body(sent)
		if _, err := io.ReadFull(res.Body, make([]byte, read)); err != nil {
			t.Fatal(err)
		}
		for range 2 { // a second Close does not give the memory back twice
			if err := res.Body.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := res.Body.Read(make([]byte, 1)); !errors.Is(err, http.ErrBodyReadAfterClose) {
			t.Errorf("read after Close: %v", err)
		}
	}
}
