package process

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/private"
)

// A secret is a flag with the tag secret. It has a second flag beside it in its struct, whose name and
// variable end in -file and _FILE: the file that has the value. Parse reads it. Only one of the two may be
// given. With the tag secret:"required" one must be.
const (
	secretTag      = "secret"
	secretRequired = "required"
	fileSuffix     = "-file"
	// mountedSecrets is where Docker and its like mount secrets into a container, readable for all of its users,
	// who are one.
	mountedSecrets = "/run/secrets/"
	// maxSecret is the size of the longest secret in a file, in bytes.
	maxSecret = 64 << 10
)

// ReadSecret reads the value of a secret from the file that a flag gives, without the end of its line.
// Its errors are Failures, and have nothing of the value.
func ReadSecret(flag, path string) (string, error) {
	name := ""
	if MayTell(path) {
		name = " " + path
	}
	refuse := func(why string, cause error) (string, error) {
		return "", &Failure{Sentence: fmt.Sprintf("%s: the file%s %s", flag, name, why), Cause: cause}
	}
	file, err := os.Open(path)
	if err != nil {
		return refuse("cannot be read: "+cmp.Or(Reason(err), "unknown reason"), err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxSecret+1))
	if err != nil {
		return refuse("cannot be read: "+cmp.Or(Reason(err), "unknown reason"), err)
	}
	if len(data) > maxSecret {
		return refuse(fmt.Sprintf("is longer than %d bytes, so it is no secret", maxSecret), nil)
	}
	data = bytes.TrimSuffix(bytes.TrimSuffix(data, []byte("\n")), []byte("\r"))
	if len(bytes.TrimSpace(data)) == 0 {
		return refuse("is empty: write the value into it, in one line", nil)
	}
	return string(data), nil
}

// readSecrets gives the secrets among the flags the values in their files.
func (c *CommandLine) readSecrets(ctx *kong.Context) error {
	flags := make(map[string]*kong.Flag)
	for _, flag := range ctx.Flags() {
		flags[flag.Name] = flag
	}
	var missing []string
	for _, flag := range ctx.Flags() {
		if !flag.Tag.Has(secretTag) {
			continue
		}
		name, file := "--"+flag.Name, flags[flag.Name+fileSuffix]
		if file == nil || flag.Target.Kind() != reflect.String || file.Target.Kind() != reflect.String {
			return fmt.Errorf("the secret %s has no flag %s%s beside it", name, name, fileSuffix)
		}
		value, path := flag.Target.String(), file.Target.String()
		switch {
		case value != "" && path != "":
			return Usage("%s and %s%s are both given: leave one of them out", name, name, fileSuffix)
		case path != "":
			value, err := ReadSecret(name+fileSuffix, path)
			if err != nil {
				return err
			}
			flag.Target.SetString(value)
			c.secretFiles = append(c.secretFiles, path)
			// What is wrong with the value is wrong with the file.
			c.variables[name] = cmp.Or(c.variables[name+fileSuffix], name+fileSuffix)
		case value == "" && flag.Tag.Get(secretTag) == secretRequired:
			missing = append(missing, strings.Join(append([]string{name}, flag.Envs...), " or ")+" (or, in a file, "+
				strings.Join(append([]string{name + fileSuffix}, file.Envs...), " or ")+")")
		case c.variables[name] == "" && showsSecret(value):
			c.shown = append(c.shown, name)
		}
	}
	if len(missing) > 0 {
		return Usage("%s must be given (see %s --help)", strings.Join(missing, ", and "), program(ctx))
	}
	return nil
}

// showsSecret reports whether a value has a secret in it: the address of a server has one only with a login.
func showsSecret(value string) bool {
	return value != "" && (!strings.Contains(value, "://") || strings.Contains(value, "@"))
}

// WarnOfSecrets logs which secrets other users of this machine can read: in files that are open to them, and in
// arguments, which are in the list of processes.
func (c CommandLine) WarnOfSecrets(log zerolog.Logger) {
	for _, path := range c.secretFiles {
		if strings.HasPrefix(path, mountedSecrets) {
			continue
		}
		if info, err := os.Stat(path); err == nil && private.OpenToOthers(info.Mode()) && MayTell(path) {
			log.Warn().Str("file", path).Str("mode", fmt.Sprintf("%#o", info.Mode().Perm())).
				Msg("other users of this machine may read or change this file, which has a secret: chmod 600 it")
		}
	}
	for _, name := range c.shown {
		log.Warn().Str("flag", name).
			Msg("a secret is given as an argument, which other users of this machine can see in the list of processes: use the variable, or better the file")
	}
}
