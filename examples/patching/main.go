// Command patching changes objects by sending only what changed: differences, single fields, conditions, conflicts, apply.
//
//	go run ./examples/patching
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubesdk/kubesdk"
	"github.com/kubesdk/kubesdk/fieldpath"
	"github.com/kubesdk/kubesdk/patch"
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
	original, err := configMaps.Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "my-config"},
		Data:       map[string]string{"key": "value", "specific-key": "value", "counter": "1"},
	})
	if err != nil {
		return err
	}
	defer func() { _ = configMaps.Delete(context.WithoutCancel(ctx), "my-config") }()
	for _, part := range []func(context.Context, kubesdk.Resource[*corev1.ConfigMap], *corev1.ConfigMap) error{
		difference, someFields, conflicts, apply, byHand,
	} {
		if err := part(ctx, configMaps, original); err != nil {
			return err
		}
	}
	return limits(ctx, kubesdk.For[*corev1.LimitRange](c).Namespace(c.Namespace()))
}

// difference sends what is different from the object that was read.
func difference(ctx context.Context, configMaps kubesdk.Resource[*corev1.ConfigMap], original *corev1.ConfigMap) error {
	modified := original.DeepCopy()
	modified.Labels = map[string]string{"environment": "production", "version": "v2"}
	modified.Data["new-key"] = "new-value"
	p, err := patch.Diff(original, modified) // what Update sends, to look at
	if err != nil {
		return err
	}
	fmt.Println("The difference:", p)
	updated, err := configMaps.Update(ctx, modified, kubesdk.From(original))
	if err != nil {
		return err
	}
	fmt.Println("Updated:", updated.Labels, updated.Data)
	return nil
}

// The paths that the program updates. A misspelled field does not compile.
var (
	root     = fieldpath.Root[corev1.ConfigMap]()
	labels   = fieldpath.Of(root, &root.Labels)
	specific = fieldpath.Key(fieldpath.Of(root, &root.Data), "specific-key")
)

// someFields sends some of the changes and not the others.
func someFields(ctx context.Context, configMaps kubesdk.Resource[*corev1.ConfigMap], _ *corev1.ConfigMap) error {
	fetched, err := configMaps.Get(ctx, "my-config")
	if err != nil {
		return err
	}
	modified := fetched.DeepCopy()
	modified.Labels["selective"] = "update"
	modified.Annotations = map[string]string{"note": "this is not sent"}
	modified.Data["key"], modified.Data["specific-key"] = "nor is this", "changed"
	updated, err := configMaps.Update(ctx, modified, kubesdk.From(fetched), kubesdk.Only(labels, specific))
	if err != nil {
		return err
	}
	fmt.Println("Only labels and one key:", updated.Labels, updated.Annotations, updated.Data)
	return nil
}

// conflicts has two writers meet.
func conflicts(ctx context.Context, configMaps kubesdk.Resource[*corev1.ConfigMap], original *corev1.ConfigMap) error {
	stale := original.DeepCopy()
	stale.Data["counter"] = "2"
	_, err := configMaps.Replace(ctx, stale)
	fmt.Println("A stale object replaces nothing:", errors.Is(err, kubesdk.ErrConflict))
	_, err = configMaps.Update(ctx, stale, kubesdk.From(original), kubesdk.IfUnchanged())
	fmt.Println("Nor does it update, if it must be unchanged:", errors.Is(err, kubesdk.ErrConflict))

	updated, err := configMaps.Mutate(ctx, "my-config", func(cm *corev1.ConfigMap) error { // read, change, send, again on conflict
		cm.Data["counter"] += "+1"
		return nil
	})
	if err != nil {
		return err
	}
	fmt.Println("Mutated:", updated.Data["counter"])
	return nil
}

// apply declares the fields that a manager wants.
func apply(ctx context.Context, configMaps kubesdk.Resource[*corev1.ConfigMap], _ *corev1.ConfigMap) error {
	me, other := configMaps.With(kubesdk.FieldManager("me")), configMaps.With(kubesdk.FieldManager("other"))
	wanted := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "my-config"}, Data: map[string]string{"mine": "1"}}
	if _, err := me.Apply(ctx, wanted); err != nil {
		return err
	}
	wanted.Data["mine"] = "2"
	_, err := other.Apply(ctx, wanted)
	if e := new(kubesdk.Error); errors.As(err, &e) {
		for _, conflict := range e.Conflicts() {
			fmt.Println("Refused:", conflict.Field, "belongs to", conflict.Manager)
		}
	}
	forced, err := other.Apply(ctx, wanted, kubesdk.Force())
	if err != nil {
		return err
	}
	owned, err := kubesdk.Owned(forced, "other")
	if err != nil {
		return err
	}
	fmt.Println("Now other owns:", owned.Data)
	return nil
}

// byHand sends patches that are written, not computed.
func byHand(ctx context.Context, configMaps kubesdk.Resource[*corev1.ConfigMap], _ *corev1.ConfigMap) error {
	if _, err := configMaps.Patch(ctx, "my-config", patch.Merge(map[string]any{"data": map[string]any{"mine": nil}})); err != nil {
		return err
	}
	counted := patch.JSON[corev1.ConfigMap]().Test(specific, "changed").Replace(specific, "by hand")
	patched, err := configMaps.Patch(ctx, "my-config", counted)
	if err != nil {
		return err
	}
	fmt.Println("By hand:", patched.Data)
	_, err = configMaps.Patch(ctx, "my-config", counted)
	fmt.Println("The test fails the second time:", errors.Is(err, kubesdk.ErrConflict))
	return nil
}

// limits changes one limit of one element of a list.
func limits(ctx context.Context, ranges kubesdk.Resource[*corev1.LimitRange]) error {
	created, err := ranges.Create(ctx, &corev1.LimitRange{
		ObjectMeta: metav1.ObjectMeta{Name: "limits"},
		Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{
			Type: corev1.LimitTypeContainer,
			Max:  corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1"), corev1.ResourceMemory: resource.MustParse("1Gi")},
		}}},
	})
	if err != nil {
		return err
	}
	defer func() { _ = ranges.Delete(context.WithoutCancel(ctx), "limits") }()
	lr, item := fieldpath.Root[corev1.LimitRange](), fieldpath.Root[corev1.LimitRangeItem]()
	containers := fieldpath.Where(fieldpath.Of(lr, &lr.Spec.Limits), "type", corev1.LimitTypeContainer)
	cpu := fieldpath.Key(fieldpath.Join(containers, fieldpath.Of(item, &item.Max)), corev1.ResourceCPU)
	raised, err := fieldpath.Set(created, cpu, resource.MustParse("1500m"))
	if err != nil {
		return err
	}
	updated, err := ranges.Update(ctx, raised, kubesdk.From(created), kubesdk.Only(cpu))
	if err != nil {
		return err
	}
	most := updated.Spec.Limits[0].Max
	fmt.Printf("%s is now %s; memory stays %s\n", cpu, most.Cpu(), most.Memory())
	return nil
}
