package api

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/eventio/eventio/internal/testenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(testenv.M{M: m}) }
