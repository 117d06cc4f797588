// Package measure runs one workload of one client in this process and measures what it costs: CPU of the process, memory
// that it allocates, and the most that it holds. A benchmark program has one client linked in, and hands its workloads to
// [Main]; the driver starts it once for each measurement, so that nothing of one client is in the figures of another.
package measure
