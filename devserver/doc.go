// Package devserver works with development servers: pods on a cluster that someone works in, declared as the custom
// resource DevServer and kept running by devserver-operator. It is for programs that make such servers, wait for them, run
// commands and copy files in them, and must not leave them behind.
//
//	servers := devserver.For(c).Namespace("default")
//	err := servers.Run(ctx, "build", v1.DevServerSpec{Flavor: "cpu-small"}, func(ctx context.Context, s *devserver.Server) error {
//		out, err := s.Command("go", "version").Output(ctx)
//		fmt.Printf("%s", out)
//		return err
//	})
//
// Run creates a server, waits until it is ready, and deletes it however the function ends. The types of specs and
// statuses are in package api/v1.
package devserver
