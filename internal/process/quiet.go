package process

import "github.com/rs/zerolog"

// Quiet returns a log that leaves out what is below warnings: for the parts that a command uses, whose
// everyday is not what the command was asked for. A log that leaves out more stays as it is.
func Quiet(log zerolog.Logger) zerolog.Logger {
	return log.Level(max(log.GetLevel(), zerolog.WarnLevel))
}
