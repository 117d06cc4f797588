// Command requestconfig sets timeouts, retries and logging: of a call, of a handle, of a client.
//
//	go run ./examples/requestconfig
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"time"

	corev1 "k8s.io/api/core/v1"
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
	// Options of a client are the defaults of all its calls.
	c, err := kubesdk.Login(ctx, kubesdk.Timeout(20*time.Second))
	if err != nil {
		return err
	}
	defer c.Close()
	configMaps := kubesdk.For[*corev1.ConfigMap](c).Namespace(c.Namespace())
	secrets := kubesdk.For[*corev1.Secret](c).Namespace(c.Namespace())

	// TIMEOUTS: a whole call, with its retries, may take a minute; each attempt ten seconds.
	if _, err := configMaps.List(ctx, kubesdk.Timeout(time.Minute), kubesdk.AttemptTimeout(10*time.Second)); err != nil {
		return err
	}
	fmt.Println("Listed within a minute")
	if _, err := configMaps.List(ctx, kubesdk.Timeout(time.Nanosecond)); errors.Is(err, context.DeadlineExceeded) {
		fmt.Println("Not listed within a nanosecond")
	}

	// RETRIES: without Statuses, what can be sent again without harm is.
	for _, policy := range []kubesdk.RetryPolicy{
		{Attempts: 6, Backoff: kubesdk.Fixed(2 * time.Second), Statuses: []int{503, 504}},
		{Attempts: 5, Backoff: kubesdk.Exponential(2 * time.Second)},
		{Attempts: 7, Backoff: kubesdk.Exponential(2 * time.Second).Capped(30 * time.Second), Statuses: []int{502, 503, 504}},
		{Attempts: 4, Backoff: func(attempt int) time.Duration { return time.Duration(attempt*attempt) * time.Second }},
	} {
		if _, err := configMaps.List(ctx, kubesdk.Retry(policy)); err != nil {
			return err
		}
		fmt.Print("Would wait")
		for attempt := 1; attempt < policy.Attempts; attempt++ {
			fmt.Print(" ", policy.Backoff(attempt))
		}
		fmt.Println()
	}

	// LOGGING: everything, for debugging. Secrets never get into a log, whatever it is asked to show.
	logger := slog.New(slog.NewTextHandler(os.Stdout, nil))
	verbose := kubesdk.Log(kubesdk.LogPolicy{Logger: logger, OnSuccess: true, RequestBody: true, ResponseBody: true})
	meta := metav1.ObjectMeta{Name: "logged"}
	if _, err := configMaps.Create(ctx, &corev1.ConfigMap{ObjectMeta: meta}, kubesdk.DryRun(), verbose); err != nil {
		return err
	}
	secret := &corev1.Secret{ObjectMeta: meta, StringData: map[string]string{"password": "hunter2"}}
	if _, err := secrets.Create(ctx, secret, kubesdk.DryRun(), verbose); err != nil {
		return err
	}

	// PRODUCTION: a handle with its own defaults. A 404 is expected, so it is no error in the log.
	reader := configMaps.With(
		kubesdk.Timeout(45*time.Second),
		kubesdk.Retry(kubesdk.RetryPolicy{
			Attempts: 4,
			Backoff:  kubesdk.Exponential(2 * time.Second).Capped(30 * time.Second).Jittered(),
			Statuses: []int{502, 503, 504},
		}),
		kubesdk.Log(kubesdk.LogPolicy{Logger: logger, OnError: true, NotErrors: []int{404}}),
	)
	_, found, err := reader.Lookup(ctx, "maybe-missing")
	if err != nil {
		return err
	}
	fmt.Println("Found maybe-missing:", found)
	return nil
}
