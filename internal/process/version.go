package process

import (
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// versionFlag is in the command line of every program.
type versionFlag struct {
	Version kong.VersionFlag `help:"Print the version, the commit, the version of Go and that of the schema, and exit."`
}

// linkedVersion and linkedCommit are set by the linker, and by nothing else, in a build without
// the repository: see the Dockerfile.
var linkedVersion, linkedCommit string

// Schemed is a command line of a program that knows a store: its --version also tells the schema.
type Schemed interface {
	// Schema returns the newest schema that the program knows, with the name of the store:
	// "MongoDB schema 9".
	Schema() string
}

// version returns what --version prints of the running program.
func version(name string, cli any) string {
	text := ReadBuild().line(name)
	if s, ok := cli.(Schemed); ok {
		text += ", " + s.Schema()
	}
	return text
}

// linked returns info with what it does not tell by itself.
func linked(info debug.BuildInfo, version, commit string) *debug.BuildInfo {
	if info.Main.Version == "" || info.Main.Version == "(devel)" {
		info.Main.Version = version
	}
	if !slices.ContainsFunc(info.Settings, func(s debug.BuildSetting) bool { return s.Key == "vcs.revision" }) {
		info.Settings = append(slices.Clip(info.Settings), debug.BuildSetting{Key: "vcs.revision", Value: commit})
	}
	return &info
}

// Build says what the running program was built from. What the build does not tell is "unknown".
type Build struct{ Version, Commit, Go string }

// ReadBuild returns the Build of the running program.
func ReadBuild() Build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return buildOf(linked(*info, linkedVersion, linkedCommit))
}

// buildOf reads a Build. A commit that was changed says so.
func buildOf(info *debug.BuildInfo) Build {
	known := func(text string) string {
		if text == "" || text == "(devel)" {
			return "unknown"
		}
		return text
	}
	commit, modified := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = ", modified"
		}
	}
	return Build{known(info.Main.Version), known(commit) + modified, known(strings.TrimPrefix(info.GoVersion, "go"))}
}

// versionOf describes a build in one line. A program that was built outside of its repository has no
// commit.
func versionOf(name string, info *debug.BuildInfo) string {
	return buildOf(info).line(name)
}

func (b Build) line(name string) string {
	return fmt.Sprintf("%s version %s, commit %s, Go %s", name, b.Version, b.Commit, b.Go)
}
