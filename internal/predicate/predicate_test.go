package predicate

import (
	"errors"
	"strings"
	"testing"
)

// asked is what the functions of the tests are about.
type asked struct {
	errors float64
	method string
	broken bool
}

func functions() []Function[asked] {
	return []Function[asked]{
		{Name: "ErrorRatio", Number: func([]float64) (func(asked) float64, error) {
			return func(a asked) float64 { return a.errors }, nil
		}},
		{Name: "Between", Takes: []string{"from", "to"}, Truth: func(args []float64) (func(asked) bool, error) {
			if args[0] >= args[1] {
				return nil, errors.New("the range is empty")
			}
			return func(a asked) bool { return args[0] <= a.errors && a.errors < args[1] }, nil
		}},
		{Name: "Method", Text: func([]float64) (func(asked) string, error) {
			return func(a asked) string { return a.method }, nil
		}},
		{Name: "IsBroken", Truth: func([]float64) (func(asked) bool, error) {
			return func(a asked) bool { return a.broken }, nil
		}},
	}
}

func TestParse_Evaluates(t *testing.T) {
	of := asked{errors: 0.5, method: "GET"}
	for text, want := range map[string]bool{
		"ErrorRatio() > 0.4":                                       true,
		"ErrorRatio() > 0.5":                                       false,
		"ErrorRatio() >= .5":                                       true,
		"ErrorRatio() < 0.5":                                       false,
		"ErrorRatio() <= 0.5":                                      true,
		"ErrorRatio() == 0.50":                                     true,
		"ErrorRatio() != 0.5":                                      false,
		"0.4<ErrorRatio()":                                         true,
		"ErrorRatio() == ErrorRatio()":                             true,
		"(ErrorRatio()) > (0.4)":                                   true,
		"Method() == \"GET\"":                                      true,
		"Method() != `GET`":                                        false,
		"\"P\\u004fST\" == Method()":                               false,
		"IsBroken()":                                               false,
		"!IsBroken()":                                              true,
		"!!IsBroken()":                                             false,
		"!(ErrorRatio() > 0.4)":                                    false,
		"Between(0.25, 1)":                                         true,
		"Between( 0.75 ,1 )":                                       false,
		"IsBroken() || Method() == \"GET\"":                        true,
		"IsBroken() && Method() == \"GET\"":                        false,
		"!IsBroken() || IsBroken() && IsBroken()":                  true, // && binds closer
		"(!IsBroken() || IsBroken()) && IsBroken()":                false,
		"Method() == `GET` && ErrorRatio() > 0 && !IsBroken()":     true,
		"\n\tMethod() == `HEAD`\n\t|| ErrorRatio() > 0.1\r\n":      true,
		"IsBroken() || IsBroken() || Between(0, 1) && !IsBroken()": true,
	} {
		truth, err := Parse(text, functions())
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := truth(of); got != want {
			t.Errorf("%s: got %v", text, got)
		}
	}
}

func TestParse_SaysWhatIsWrongAndWhere(t *testing.T) {
	deep := strings.Repeat("(", 200)
	for text, want := range map[string]string{
		"":                                  "at byte 0: the expression is empty",
		" ":                                 "at byte 0: the expression is empty",
		"ErorRatio() > 1":                   "at byte 0: unknown function ErorRatio; did you mean ErrorRatio?",
		"1 < errorratio()":                  "at byte 4: unknown function errorratio; did you mean ErrorRatio?",
		"Xyzzy()":                           "at byte 0: unknown function Xyzzy; known are ErrorRatio, Between, Method, IsBroken",
		"ErrorRatio > 1":                    "at byte 0: ErrorRatio is a function; write ErrorRatio()",
		"ErrorRatio()":                      "at byte 0: ErrorRatio() is a number, and has to be compared with another",
		"IsBroken() || Method()":            "at byte 14: Method() is a text, and has to be compared with another",
		"Method() && IsBroken()":            "at byte 0: Method() is a text, and has to be compared with another",
		"ErrorRatio() > \"1\"":              "at byte 15: ErrorRatio() is a number, and \"1\" is a text",
		"Method() > \"GET\"":                "at byte 9: texts are compared by == or !=, not by >",
		"IsBroken() == 1":                   "at byte 11: IsBroken() is true or false by itself, and is not compared",
		"1 == (IsBroken() || IsBroken())":   "at byte 2: (IsBroken() || IsBroken()) is true or false by itself, and is not compared",
		"1 < 2":                             "at byte 0: 1 and 2 are always the same; one of them should be a function",
		"0 < ErrorRatio() < 1":              "at byte 17: ErrorRatio() is compared already; join comparisons by && or ||",
		"!ErrorRatio() > 1":                 "at byte 0: ! stands before ErrorRatio(), which is a number; write ! before a comparison in parentheses",
		"ErrorRatio() = 1":                  "at byte 13: a single = is no operator; write ==",
		"IsBroken() & IsBroken()":           "at byte 11: a single & is no operator; write &&",
		"IsBroken() and IsBroken()":         "at byte 11: write && instead of and",
		"IsBroken() OR IsBroken()":          "at byte 11: write || instead of OR",
		"IsBroken() IsBroken()":             "at byte 11: an operator should stand before IsBroken",
		"IsBroken())":                       "at byte 10: the closing parenthesis has no opening one",
		"(IsBroken()":                       "at byte 0: the parenthesis is never closed",
		"(IsBroken() 1":                     "at byte 12: an operator should stand before 1",
		"IsBroken() &&":                     "at byte 13: the expression ends where a function should follow",
		"&& IsBroken()":                     "at byte 0: && stands where a function should",
		"Method() == 'GET'":                 "at byte 12: texts stand in double quotes or backticks",
		"Method() == \"GET":                 "at byte 12: the text has no closing \", or an escape that is none",
		"ErrorRatio() > -1":                 "at byte 15: no number is below 0 here",
		"ErrorRatio() > 1.2.3":              "at byte 15: 1.2.3 is no number",
		"ErrorRatio() > 50%":                "at byte 17: unexpected character '%'",
		"Between(1)":                        "at byte 0: Between takes 2 arguments, not 1; write Between(from, to)",
		"IsBroken(1)":                       "at byte 0: IsBroken takes 0 arguments, not 1; write IsBroken()",
		"Between(2, 1)":                     "at byte 0: Between(2, 1): the range is empty",
		"Between(1, ErrorRatio())":          "at byte 11: ErrorRatio stands where a number should; write Between(from, to)",
		"Between(1, )":                      "at byte 11: ) stands where a number should; write Between(from, to)",
		"Between(1 2)":                      "at byte 10: a comma or ) should stand before 2",
		"Between(1":                         "at byte 7: the parenthesis of Between is never closed",
		"Between(":                          "at byte 7: the parenthesis of Between is never closed",
		deep:                                "at byte 100: the expression nests deeper than 100 levels",
		strings.Repeat("!", 101):            "at byte 100: the expression nests deeper than 100 levels",
		strings.Repeat("IsBroken()||", 150): "at byte 1210: more than 100 parts are joined by ||",
		strings.Repeat(" ", maxSize+1):      "at byte 4096: the expression is longer than 4096 bytes",
	} {
		_, err := Parse(text, functions())
		if err == nil || err.Error() != want {
			t.Errorf("%.60s:\n got %v\nwant %s", text, err, want)
		}
	}
}

func TestParse_DoesNotAllocateWhenEvaluated(t *testing.T) {
	truth, err := Parse("ErrorRatio() > 0.4 && (Method() == \"GET\" || !IsBroken()) && Between(0, 1)", functions())
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { truth(asked{errors: 0.5}) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzParse checks that an expression is either explained or evaluated, and then
// obeys logic.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"ErrorRatio() > 0.5 && (Method() == \"GET\" || !IsBroken())",
		"Between(0.1, 1) || Method() != `POST`",
		"((IsBroken()))", "!!IsBroken()", "0.1 <= ErrorRatio()", "ErorRatio() == 1 and",
		"Method() == \"\\x41\\n", "((((!(", "Between(1,,", "ErrorRatio() = 1..2", "“x”",
	} {
		f.Add(seed, 0.5, "GET", true)
	}
	f.Fuzz(func(t *testing.T, text string, ratio float64, method string, broken bool) {
		truth, err := Parse(text, functions())
		if err != nil {
			var at *Error
			if !errors.As(err, &at) || at.Offset < 0 || at.Offset > len(text) || at.Msg == "" {
				t.Fatalf("%q: the error tells no place in it: %v", text, err)
			}
			return
		}
		of := asked{errors: ratio, method: method, broken: broken}
		for other, want := range map[string]bool{
			"!(" + text + ")":                       !truth(of),
			"(" + text + ") && !(" + text + ")":     false,
			"( " + text + " ) || IsBroken()":        truth(of) || broken,
			"(" + text + "\n) && ErrorRatio() != 2": truth(of) && ratio != 2,
		} {
			again, err := Parse(other, functions())
			if err != nil {
				if len(other) > maxSize || strings.Contains(err.Error(), "deeper") {
					continue
				}
				t.Fatalf("%q is good, and %q is not: %v", text, other, err)
			}
			if got := again(of); got != want {
				t.Fatalf("%q: got %v", other, got)
			}
		}
	})
}
