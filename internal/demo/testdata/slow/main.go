// Command slow takes longer than anybody waits.
package main

import "time"

func main() { time.Sleep(time.Hour) }
