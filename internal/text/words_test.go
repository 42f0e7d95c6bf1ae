package text_test

import (
	"github.com/eventio/eventio/internal/text"
	"github.com/eventio/eventio/pkg/store/search"
)

func init() { text.Words = search.Words }
