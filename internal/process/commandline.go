package process

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// errAnswered ends a program that was asked for --help or --version.
var errAnswered = errors.New("help or version was shown")

// CommandLine is what Parse has read.
type CommandLine struct {
	// Command is the name of the command that was chosen.
	Command string
	// variables has the environment variables that have set flags, by flag: "--addr".
	variables map[string]string
	// secretFiles are the files of which secrets were read, and shown the secrets that are among the arguments.
	secretFiles, shown []string
}

// Parse reads flags and environment variables into the struct that cli points to. It shows
// help or the version on Stdout and then returns an error that Main takes for success. Its
// other errors match ErrUsage.
//
// A variable that is set to nothing counts as not set, which is what compose files and
// manifests mean by it.
func Parse(cli any, env Env, name, description string) (CommandLine, error) {
	for _, variable := range os.Environ() {
		if key, value, _ := strings.Cut(variable, "="); value == "" {
			if err := os.Unsetenv(key); err != nil {
				return CommandLine{}, fmt.Errorf("read the environment: %w", err)
			}
		}
	}
	answered := false
	parser, err := kong.New(cli, kong.Name(name), kong.Description(description),
		kong.Embed(&versionFlag{}), kong.Vars{"version": version(name, cli)},
		kong.TypeMapper(reflect.TypeFor[time.Duration](), kong.MapperFunc(readDuration)),
		kong.Writers(env.Stdout, env.Stderr), kong.Exit(func(int) { answered = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}), kong.Help(printHelp))
	if err != nil {
		return CommandLine{}, err
	}
	parsed, err := parser.Parse(spelled(env.Args))
	if answered {
		return CommandLine{}, errAnswered
	}
	if wrong, ok := errors.AsType[*kong.ParseError](err); ok {
		line := CommandLine{variables: variablesOf(wrong.Context)}
		return line, line.Named(usageOf(wrong))
	}
	if err != nil {
		return CommandLine{}, err
	}
	line := CommandLine{Command: parsed.Command(), variables: variablesOf(parsed)}
	return line, line.Named(line.readSecrets(parsed))
}

// spelled returns the arguments with the two flags that people also write as commands: help, help
// COMMAND and version.
func spelled(args []string) []string {
	switch {
	case len(args) > 0 && args[0] == "help":
		return append(slices.Clone(args[1:]), "--help")
	case len(args) == 1 && args[0] == "version":
		return []string{"--version"}
	}
	return args
}

// variablesOf returns the environment variables that have set flags of the chosen command, by
// flag. A flag that is also in the arguments is not among them: the argument wins.
func variablesOf(ctx *kong.Context) map[string]string {
	variables := make(map[string]string)
	for _, flag := range ctx.Flags() {
		for _, name := range flag.Envs {
			if _, set := os.LookupEnv(name); set {
				variables["--"+flag.Name] = name
				break
			}
		}
	}
	for _, p := range ctx.Path {
		if p.Flag != nil {
			delete(variables, "--"+p.Flag.Name)
		}
	}
	return variables
}

// flagName matches the name of a flag in a text.
var flagName = regexp.MustCompile(`--[a-z][a-z0-9-]*`)

// Named returns an error whose text has the names that the operator used: in place of each
// flag that a variable has set, the variable. The result matches whatever err matches.
func (c CommandLine) Named(err error) error {
	if err == nil {
		return nil
	}
	text := flagName.ReplaceAllStringFunc(err.Error(), func(flag string) string {
		if variable, ok := c.variables[flag]; ok {
			return variable
		}
		return flag
	})
	if text == err.Error() {
		return err
	}
	return &Failure{Sentence: text, Cause: err}
}

// usageOf returns the error about a command line that kong refuses, in one sentence.
func usageOf(wrong *kong.ParseError) error {
	text, _, _ := strings.Cut(wrong.Error(), " (from envar ") // Named says which one
	if missing, ok := strings.CutPrefix(text, "missing flags: "); ok {
		text = missingOf(missing, wrong.Context)
	}
	if argument, ok := strings.CutPrefix(text, "unexpected argument "); ok && !mayBeCommand.MatchString(argument) {
		text = "unexpected argument, which is not told because it may hold a secret"
	}
	if flag, ok := strings.CutPrefix(text, "unknown flag "); ok && !mayBeFlag.MatchString(flag) {
		text = "unknown flag, which is not told because it may hold a secret"
	}
	for _, r := range rewordings {
		text = r.kong.ReplaceAllString(text, r.plain)
	}
	return Usage("%s (see %s --help)", text, program(wrong.Context))
}

// mayBeCommand and mayBeFlag match what kong says of an argument that nobody expects, when it can be
// a command or a flag that is mistyped. Another one may be a password, or the URL of a server
// without its flag.
var (
	mayBeCommand = regexp.MustCompile(`^[a-z-]{1,12}(, did you mean .*)?$`)
	mayBeFlag    = regexp.MustCompile(`^--?[a-z-]{1,24}(, did you mean .*)?$`)
)

// rewordings puts what kong says of wrong values into plain words.
var rewordings = [...]struct {
	kong  *regexp.Regexp
	plain string
}{
	{regexp.MustCompile(`^(--[a-z-]+): expected .* value but got "EOL" .*$`), "$1 needs a value"},
	{regexp.MustCompile(`^(--[a-z-]+): expected .* value but got "(-[^"]*)" .*$`), "$1: $2 is taken for another flag; if it is the value write $1=$2"},
	{regexp.MustCompile(`expected a valid [0-9]+ bit u?int but got ("[a-z0-9.+-]{1,20}")$`), "$1 is not a whole number"},
	{regexp.MustCompile(`expected a valid [0-9]+ bit u?int but got .*$`), "its value is not a whole number"},
	// Of words in lower case one may be meant; something else may be a secret.
	{regexp.MustCompile(`^(.* (?:one of|bool value must be) .*) but got "(?:[^"]*[^a-z"][^"]*)?"$`), "$1"},
}

// missingOf says how the flags in kong's list of missing ones can be given.
func missingOf(list string, ctx *kong.Context) string {
	names := make(map[string]string)
	for _, flag := range ctx.Flags() {
		names["--"+flag.Name] = strings.Join(append([]string{"--" + flag.Name}, flag.Envs...), " or ")
	}
	var flags []string
	for entry := range strings.SplitSeq(list, ", ") {
		var choice []string
		for _, flag := range flagName.FindAllString(entry, -1) {
			choice = append(choice, names[flag])
		}
		flags = append(flags, strings.Join(choice, " or "))
	}
	return strings.Join(flags, ", and ") + " must be given"
}

// program returns the words that call the chosen command, its default one aside.
func program(ctx *kong.Context) string {
	words := []string{ctx.Model.Name}
	for _, p := range ctx.Path { // which has more than ctx.Selected when a command of a command is missing
		if p.Command != nil && p.Command != ctx.Model.DefaultCmd {
			words = append(words, p.Command.Name)
		}
	}
	return strings.Join(words, " ")
}

// readDuration reads a duration, which is never below zero.
func readDuration(ctx *kong.DecodeContext, target reflect.Value) error {
	var text string
	if err := ctx.Scan.PopValueInto("duration", &text); err != nil {
		return err
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return fmt.Errorf("%s is not a duration like 500ms, 5s or 1m", Quote(text))
	}
	target.SetInt(int64(d))
	return nil
}

// printHelp is kong's help; that of the whole program goes on with the flags of its default
// command, which may be given without naming it.
func printHelp(options kong.HelpOptions, ctx *kong.Context) error {
	if err := kong.DefaultHelpPrinter(options, ctx); err != nil {
		return err
	}
	standard := ctx.Model.DefaultCmd
	if ctx.Selected() != nil || standard == nil {
		return nil
	}
	inner, err := kong.Trace(ctx.Kong, []string{standard.Name})
	if err != nil {
		return err
	}
	fmt.Fprintln(ctx.Stdout)
	return kong.DefaultHelpPrinter(options, inner)
}
