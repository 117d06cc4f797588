// Command errors shows how calls fail, and how a program tells one failure from another.
//
//	go run ./examples/errors
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesdk/kubesdk"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err) //nolint:gocritic // stop only gives the signal back, which the end of the program does too
	}
}

func run(ctx context.Context) error {
	c, err := kubesdk.Login(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	configMaps := kubesdk.For[*corev1.ConfigMap](c).Namespace(c.Namespace())

	// What the server says is an *Error, with its code, reason and message.
	_, err = configMaps.Get(ctx, "does-not-exist")
	if errors.Is(err, kubesdk.ErrNotFound) {
		var e *kubesdk.Error
		errors.As(err, &e)
		fmt.Printf("Not found: code=%d reason=%s message=%s\n", e.Code, e.Reason, e.Message)
	}

	// 409 is two things: the name is taken, or the object has changed since it was read.
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "twice"}}
	old, err := configMaps.Create(ctx, cm)
	if err != nil {
		return err
	}
	defer func() { _ = configMaps.Delete(context.WithoutCancel(ctx), old.Name) }()
	_, err = configMaps.Create(ctx, cm)
	fmt.Println("Already exists:", errors.Is(err, kubesdk.ErrAlreadyExists))
	changed := old.DeepCopy()
	changed.Data = map[string]string{"k": "v"}
	if _, err := configMaps.Replace(ctx, changed); err != nil {
		return err
	}
	_, err = configMaps.Replace(ctx, changed) // once more, with the version from before
	fmt.Println("Conflict:", errors.Is(err, kubesdk.ErrConflict))

	// What is not valid: here the server says so, and which field it is about.
	_, err = configMaps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "Not_Valid"}})
	var invalid *kubesdk.Error
	if errors.As(err, &invalid) && errors.Is(err, kubesdk.ErrInvalid) {
		fmt.Println("Invalid:", invalid.Code, invalid.Status().Details.Causes[0].Field)
	}
	// And here this machine does, before anything is sent.
	_, err = configMaps.Get(ctx, "in/valid")
	errors.As(err, &invalid)
	fmt.Printf("Refused: sent %d times, from the server: %v\n", invalid.Attempts, invalid.FromServer())

	// Where absence is no error, it is a value.
	_, found, err := configMaps.Lookup(ctx, "might-not-exist")
	if err != nil {
		return err
	}
	fmt.Println("Found might-not-exist:", found)

	var there, absent []string
	for _, name := range []string{"twice", "config-2", "config-3"} {
		_, found, err := configMaps.Lookup(ctx, name)
		switch {
		case err != nil:
			return err // the server is away, or says that this user may not
		case found:
			there = append(there, name)
		default:
			absent = append(absent, name)
		}
	}
	fmt.Printf("Found: %d, not found: %d\n", len(there), len(absent))

	// Code that knows the functions of apimachinery goes on to work.
	_, err = configMaps.Get(ctx, "does-not-exist")
	fmt.Println("apierrors.IsNotFound:", apierrors.IsNotFound(err))
	fmt.Println(err)
	return nil
}
