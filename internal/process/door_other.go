//go:build !linux

package process

import "net"

// barDoor reports that it cannot keep people from connecting to a listener that is open.
func barDoor(net.Listener) bool { return false }
