package encodedcharacters

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"fairway/internal/record"
	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config { return &Config{} })
}

func TestEncodedCharacters_EachHasItsOption(t *testing.T) {
	next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	for sequence, allowing := range map[string]*Config{
		"%2F": {AllowEncodedSlash: true}, "%5C": {AllowEncodedBackSlash: true}, "%00": {AllowEncodedNullCharacter: true},
		"%3B": {AllowEncodedSemicolon: true}, "%25": {AllowEncodedPercent: true}, "%3F": {AllowEncodedQuestionMark: true},
		"%23": {AllowEncodedHash: true},
	} {
		for want, c := range map[int]*Config{400: {}, 200: allowing} {
			h, err := c.New(t.Context(), middlewarestest.Env("test"), next)
			if err != nil {
				t.Fatal(err)
			}
			rec := &record.Record{}
			r := httptest.NewRequest(http.MethodGet, "/a"+sequence+"b?q="+sequence, nil)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r.WithContext(record.With(r.Context(), rec)))
			if w.Code != want || want == 400 && rec.Cause != "encodedCharacters: "+sequence+" is not allowed in a path" {
				t.Errorf("%s with %+v: got %d, cause %q", sequence, c, w.Code, rec.Cause)
			}
		}
	}
}
