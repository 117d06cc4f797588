package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubesdk/kubesdk/bench/internal/record"
	"github.com/kubesdk/kubesdk/bench/internal/replay"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	kubeconfig := flag.String("kubeconfig", "", "")
	rec := flag.String("record", "", "")
	serve := flag.String("serve", "", "")
	pods := flag.Int("pods", 500, "")
	events := flag.Int("events", 2000, "")
	flag.Parse()
	err := func() error {
		if *serve != "" {
			r, err := record.Load(*serve)
			if err != nil {
				return err
			}
			s, err := replay.New(r)
			if err != nil {
				return err
			}
			return s.Serve(ctx, *kubeconfig)
		}
		config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
		if err != nil {
			return err
		}
		r, err := record.From(ctx, config, record.Sizes{Pods: *pods, Applications: *pods, Events: *events})
		if err != nil {
			return err
		}
		fmt.Println(r.Server)
		for f, a := range r.Deployment {
			fmt.Println(f, len(a.Body), a.ContentType, len(r.Pods[f].Body)/(*pods), r.Events[f].ContentType, len(r.Events[f].Frames), len(r.Events[f].Frames[0]))
		}
		fmt.Println(len(r.Applications.Body) / *pods)
		return r.Save(*rec)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
