package testenv

import "syscall"

// dieWithParent has the kernel kill the child when this process dies, however it dies: a
// test binary that runs into its time limit or is killed runs no clean-up of its own.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
