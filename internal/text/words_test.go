package text_test

import (
	"github.com/eventio/eventio/internal/text"
	"github.com/eventio/eventio/pkg/store"
)

func init() { text.Words = store.Words }
