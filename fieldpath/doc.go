// Package fieldpath names a field of a Kubernetes object in code that the compiler checks. A misspelled field, a path into
// another type or a value of another type does not compile, and a renamed field breaks the build instead of the program.
//
//	d := fieldpath.Root[appsv1.Deployment]()
//	replicas := fieldpath.Of(d, &d.Spec.Replicas)                         // .spec.replicas
//	containers := fieldpath.Of(d, &d.Spec.Template.Spec.Containers)       // .spec.template.spec.containers
//	nginx := fieldpath.Where(containers, "name", "nginx")                 // .spec.template.spec.containers[name="nginx"]
//	team := fieldpath.Key(fieldpath.Of(d, &d.Labels), "example.com/team") // .metadata.labels['example.com/team']
//
//	next, err := fieldpath.Set(deployment, replicas, ptr.To[int32](3)) // a changed copy
//	value, err := fieldpath.Get(deployment, team)
//
// Paths say which fields an update may touch (kubesdk.Only), which a patch changes (package patch), and are values like any
// other: keep them in package variables, pass them on, join them.
//
// [Parse] and [ParsePointer] read a path that arrives as text, as Kubernetes spells it or as a JSON Pointer (RFC 6901).
package fieldpath
