// Package patch makes the patches by which an object is changed on the server without touching what others have changed: the
// difference of two objects, or the changes named one by one.
//
//	p, err := patch.Diff(old, new)                       // what a strategic merge, merge or JSON patch says that turns old into new
//	p, err = patch.Diff(old, new, patch.Only(labels))    // and only at the paths named
//	p = patch.Merge(map[string]any{"data": map[string]any{"key": nil}})
//	p = patch.JSON[appsv1.Deployment]().Test(replicas, 2).Replace(replicas, 3)
//
// Objects are compared as Go values, field by field, by what JSON shows of them. A patch is sent with kubesdk's Patch verb; Update
// makes and sends a difference in one call. Package apply applies a patch on this machine.
package patch
