package customresource_test

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/customresource"
)

type databaseSpec struct {
	Instances int `json:"instances"`
}

type databaseStatus struct {
	Phase string `json:"phase,omitempty"`
}

// Database is a kind with a method of its own.
type Database struct {
	customresource.Object[databaseSpec, databaseStatus]
}

// ScaleTo is such a method.
func (d *Database) ScaleTo(ctx context.Context, instances int) error {
	d.Spec.Instances = instances
	return d.Update(ctx)
}

// A kind of one's own: make an object, use a method of its own, wait for its controller, delete it.
func Example() {
	ctx := context.Background()
	c, err := kubesdk.Login(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	databases, err := customresource.For[databaseSpec, databaseStatus](c, kubesdk.TypeInfo{
		GroupVersionKind: schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Database"},
		Plural:           "databases",
		Namespaced:       true,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	made, err := databases.Namespace("default").Create(ctx, "orders", databaseSpec{Instances: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	db := Database{Object: *made}
	if err := db.ScaleTo(ctx, 2); err != nil {
		fmt.Println(err)
		return
	}
	waiting, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	for event, err := range db.WaitForStatus(waiting, map[string]any{"phase": "Ready"}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(event.Type, event.Object.Status.Phase)
	}
	if err := db.Delete(ctx); err != nil {
		fmt.Println(err)
	}
}
