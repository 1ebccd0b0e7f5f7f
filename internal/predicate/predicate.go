// Package predicate reads the conditions that some middlewares take as an option, such
// as
//
//	NetworkErrorRatio() > 0.5 && RequestThreshold() >= 20
//
// The grammar, with the precedence of Go:
//
//	or      = and { "||" and } .
//	and     = compare { "&&" compare } .
//	compare = unary [ ( "<" | "<=" | ">" | ">=" | "==" | "!=" ) unary ] .
//	unary   = "!" unary | "(" or ")" | call | number | text .
//	call    = name "(" [ number { "," number } ] ")" .
//
// Numbers are written as 100 or 0.5, texts in double quotes or backticks. What is
// compared has to be of one type; the whole is true or false. All of that is checked
// when an expression is read, once, so that nothing can go wrong when it is evaluated.
package predicate

import "fmt"

// Function is what an expression can call. T is what it is asked about.
type Function[T any] struct {
	Name string
	// Takes says what each argument is, for messages.
	Takes []string
	// One of these makes it, of arguments as many as it takes. Their error says what is
	// wrong with the arguments.
	Number func(args []float64) (func(T) float64, error)
	Text   func(args []float64) (func(T) string, error)
	Truth  func(args []float64) (func(T) bool, error)
}

// Error says what is wrong with an expression, and at which byte of its text.
type Error struct {
	Offset int
	Msg    string
}

func (e *Error) Error() string { return fmt.Sprintf("at byte %d: %s", e.Offset, e.Msg) }

func errorAt(offset int, format string, args ...any) *Error {
	return &Error{Offset: offset, Msg: fmt.Sprintf(format, args...)}
}

const (
	maxSize  = 4 << 10
	maxDepth = 100 // reading and evaluating recurse once per level
)

// Parse reads an expression that may call the functions given. The result does not
// allocate, and is safe for concurrent use if the functions are. The error is an
// *Error.
func Parse[T any](text string, functions []Function[T]) (func(T) bool, error) {
	if len(text) > maxSize {
		return nil, errorAt(maxSize, "the expression is longer than %d bytes", maxSize)
	}
	p := &parser[T]{lexer: lexer{text: text}, functions: functions}
	truth, err := p.whole()
	if err != nil {
		return nil, err
	}
	return truth, nil
}
