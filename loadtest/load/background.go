package load

// Outcome is what came of a load that ran in the background.
type Outcome struct {
	Result Result
	Err    error
}

// Background runs a load. Its outcome comes once.
func Background(p Plan) <-chan Outcome {
	done := make(chan Outcome, 1)
	go func() {
		res, err := Run(p)
		done <- Outcome{res, err}
	}()
	return done
}
