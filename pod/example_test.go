package pod_test

import (
	"context"
	"fmt"
	"log"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/pod"
)

func Example() {
	ctx := context.Background()
	c, err := kubesdk.Login(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	web := pod.Selected(c, "default", "app=web")
	if _, err := pod.Sync(ctx, web, "site", "/srv/www", pod.SyncOptions{Delete: true}); err != nil {
		log.Print(err)
		return
	}
	out, err := pod.Command(web, "ls", "/srv/www").Output(ctx)
	fmt.Printf("%s %v\n", out, err)
}

func ExampleSplit() {
	words, err := pod.Split(`grep -r "two words" 'it''s' a\ b # a comment`)
	fmt.Printf("%q %v\n", words, err)
	_, err = pod.Split("ps aux | grep x")
	fmt.Println(err)
	// Output:
	// ["grep" "-r" "two words" "its" "a b"] <nil>
	// split "ps aux | grep x": '|' has a meaning that only a shell knows: quote it, or use pod.Shell
}
