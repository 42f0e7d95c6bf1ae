//go:build !linux

package testenv

const parentEnv = "TESTENV_ACT_AS_PARENT"

func actAsParent() {}
