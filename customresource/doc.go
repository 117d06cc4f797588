// Package customresource gives object-oriented access to any custom resource: objects that know where they live, and so
// can refresh, update, patch and delete themselves, and wait for their status. Where package kubesdk has handles and
// plain values, this has objects for programs that hold on to a few of them.
//
//	type Server = customresource.Object[ServerSpec, ServerStatus]
//
//	servers, err := customresource.For[ServerSpec, ServerStatus](c, kubesdk.TypeInfo{
//		GroupVersionKind: schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Server"},
//		Plural:           "servers",
//		Namespaced:       true,
//	})
//	s, err := servers.Namespace("default").Create(ctx, "web", ServerSpec{Image: "nginx"})
//	for event, err := range s.WaitForStatus(ctx, map[string]any{"phase": "Running"}) { ... }
//	s.Spec.Image = "nginx:2"
//	err = s.Update(ctx)
//	err = s.Delete(ctx)
//
// A kind with methods of its own embeds Object in a struct.
package customresource
