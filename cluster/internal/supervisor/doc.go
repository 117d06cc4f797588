// Package supervisor keeps the processes of one cluster: it starts them in the order of the plan, tells when each is ready,
// notices when one dies, and ends them all together.
//
//	err := supervisor.Run(ctx, dir)
//
// It restarts nothing by itself: a component that died is a fact worth seeing, which `localkube status` shows. SIGHUP makes
// it start the dead ones again, SIGTERM ends the cluster. Its children get SIGKILL from the kernel when it dies.
package supervisor
