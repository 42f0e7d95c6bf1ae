package sqlitestore

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// faultVFS is SQLite's own file layer, except that calls on chosen files can be counted and made to
// fail. It is the default layer of this test binary, so the store under test opens its files as
// usual.
type faultVFS struct {
	real uintptr // *sqlite3_vfs

	mu      sync.Mutex          // guards all below
	names   map[uintptr]string  // of open files, by their sqlite3_file
	methods map[uintptr]uintptr // ours, by the real ones; both *sqlite3_io_methods
	origin  map[uintptr]uintptr // the real ones of an open file
	watch   map[string]func(call) int32
}

// call is a call of SQLite on a file.
type call struct {
	kind string // "write", "sync" or "shm": the -shm file grows
	file string
	cut  func() // for a write: does half of it
}

var files = &faultVFS{
	names: make(map[uintptr]string), methods: make(map[uintptr]uintptr), origin: make(map[uintptr]uintptr),
	watch: make(map[string]func(call) int32),
}

func TestMain(m *testing.M) {
	files.register()
	os.Exit(m.Run())
}

// onCalls lets fn decide about each call on the files of the database at path: SQLITE_OK lets it
// through, anything else is its result. stop ends that.
func onCalls(path string, fn func(call) int32) (stop func()) {
	files.mu.Lock()
	defer files.mu.Unlock()
	files.watch[path] = fn
	return func() {
		files.mu.Lock()
		defer files.mu.Unlock()
		delete(files.watch, path)
	}
}

// at reads a C pointer.
func at[T any](p uintptr) *T { return *(**T)(unsafe.Pointer(&p)) }

// function is the C pointer of a function, and calling the function of such a pointer.
func function(f any) uintptr       { return (*[2]uintptr)(unsafe.Pointer(&f))[1] }
func calling[F any](p uintptr) F   { return *(*F)(unsafe.Pointer(&struct{ uintptr }{p})) }
func copied[T any](p uintptr) *T   { c := clone(*at[T](p)); return at[T](c) }
func clone[T any](v T) (p uintptr) { p = malloc(unsafe.Sizeof(v)); *at[T](p) = v; return p }

func malloc(n uintptr) uintptr {
	tls := libc.NewTLS()
	defer tls.Close()
	return libc.Xcalloc(tls, 1, libc.Tsize_t(n))
}

func (v *faultVFS) register() {
	tls := libc.NewTLS()
	defer tls.Close()
	sqlite3.Xsqlite3_initialize(tls)
	v.real = sqlite3.Xsqlite3_vfs_find(tls, 0)
	ours := copied[sqlite3.Tsqlite3_vfs](v.real)
	name, err := libc.CString("fault")
	if err != nil {
		panic(err)
	}
	ours.FzName, ours.FpNext, ours.FxOpen = name, 0, function(openFile)
	if rc := sqlite3.Xsqlite3_vfs_register(tls, uintptr(unsafe.Pointer(ours)), 1); rc != sqlite3.SQLITE_OK {
		panic(fmt.Sprint("register the file layer: ", rc))
	}
}

func openFile(tls *libc.TLS, _, name, file uintptr, flags int32, out uintptr) int32 {
	open := calling[func(*libc.TLS, uintptr, uintptr, uintptr, int32, uintptr) int32](at[sqlite3.Tsqlite3_vfs](files.real).FxOpen)
	rc := open(tls, files.real, name, file, flags, out)
	f := at[sqlite3.Tsqlite3_file](file)
	if rc != sqlite3.SQLITE_OK || f.FpMethods == 0 || name == 0 {
		return rc
	}
	files.mu.Lock()
	defer files.mu.Unlock()
	ours, ok := files.methods[f.FpMethods]
	if !ok {
		m := copied[sqlite3.Tsqlite3_io_methods](f.FpMethods)
		m.FxWrite, m.FxSync, m.FxClose = function(writeFile), function(syncFile), function(closeFile)
		if m.FxShmMap != 0 {
			m.FxShmMap = function(mapShm)
		}
		ours = uintptr(unsafe.Pointer(m))
		files.methods[f.FpMethods] = ours
	}
	files.names[file], files.origin[file] = libc.GoString(name), f.FpMethods
	f.FpMethods = ours
	return rc
}

// on asks whoever watches the file, and returns the real methods.
func (v *faultVFS) on(file uintptr, kind string, cut func()) (*sqlite3.Tsqlite3_io_methods, int32) {
	v.mu.Lock()
	name, origin := v.names[file], v.origin[file]
	path := strings.TrimSuffix(name, "-wal")
	watch := v.watch[path]
	v.mu.Unlock()
	rc := int32(sqlite3.SQLITE_OK)
	if watch != nil {
		rc = watch(call{kind, name, cut})
	}
	return at[sqlite3.Tsqlite3_io_methods](origin), rc
}

func (v *faultVFS) originOf(file uintptr) *sqlite3.Tsqlite3_io_methods {
	v.mu.Lock()
	defer v.mu.Unlock()
	return at[sqlite3.Tsqlite3_io_methods](v.origin[file])
}

func writeFile(tls *libc.TLS, file, data uintptr, n int32, offset int64) int32 {
	write := calling[func(*libc.TLS, uintptr, uintptr, int32, int64) int32](files.originOf(file).FxWrite)
	if _, rc := files.on(file, "write", func() { write(tls, file, data, n/2, offset) }); rc != sqlite3.SQLITE_OK {
		return rc
	}
	return write(tls, file, data, n, offset)
}

func syncFile(tls *libc.TLS, file uintptr, flags int32) int32 {
	m, rc := files.on(file, "sync", nil)
	if rc != sqlite3.SQLITE_OK {
		return rc
	}
	return calling[func(*libc.TLS, uintptr, int32) int32](m.FxSync)(tls, file, flags)
}

func mapShm(tls *libc.TLS, file uintptr, page, size, extend int32, out uintptr) int32 {
	m, rc := files.originOf(file), int32(sqlite3.SQLITE_OK)
	if page > 0 && extend != 0 {
		m, rc = files.on(file, "shm", nil)
	}
	if rc != sqlite3.SQLITE_OK {
		return rc
	}
	return calling[func(*libc.TLS, uintptr, int32, int32, int32, uintptr) int32](m.FxShmMap)(tls, file, page, size, extend, out)
}

func closeFile(tls *libc.TLS, file uintptr) int32 {
	files.mu.Lock()
	m := at[sqlite3.Tsqlite3_io_methods](files.origin[file])
	delete(files.names, file)
	delete(files.origin, file)
	files.mu.Unlock()
	return calling[func(*libc.TLS, uintptr) int32](m.FxClose)(tls, file)
}
