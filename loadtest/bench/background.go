package main

import "github.com/eventio/eventio/loadtest/load"

// outcome is what came of a load that ran in the background.
type outcome struct {
	res load.Result
	err error
}

func inBackground(p load.Plan) <-chan outcome {
	done := make(chan outcome, 1)
	go func() {
		res, err := load.Run(p)
		done <- outcome{res, err}
	}()
	return done
}
