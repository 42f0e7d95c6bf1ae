//go:build !linux

package testenv

import "syscall"

// dieWithParent does nothing here: only Linux can do it. A killed test process may leave a
// server behind on other systems.
func dieWithParent() *syscall.SysProcAttr { return nil }

// standsStill says nothing here: only Linux can tell.
func standsStill(int) error { return nil }
