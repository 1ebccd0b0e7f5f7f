package rule

// Explanation tells of a rule, or of a part of one, whether a request satisfies it, and of
// which parts that depends.
type Explanation struct {
	// Op joins the parts: "&&", "||" or "!"; empty: this is a matcher.
	Op      string        `json:"op,omitempty"`
	Text    string        `json:"text,omitempty"` // of a matcher, as it was written
	Matched bool          `json:"matched"`
	Parts   []Explanation `json:"parts,omitempty"`
}

// quoted is a matcher with its text. It costs nothing, so that the operands of a rule stay
// in the order in which they were written.
type quoted struct {
	node
	text string
}

func (quoted) cost() cost { return 0 }

// Explain matches each part of the rule, also those that do not count any more. It reads
// the rule again, so it is for people who ask, not for requests.
func (r *Rule) Explain(q *Request) Explanation {
	p := &parser{lexer: lexer{src: r.text}, syntax: r.syntax, quoting: true}
	root, err := p.rule()
	if err != nil { // it could be read before
		return Explanation{Text: r.text, Matched: r.Match(q)}
	}
	return explain(root, q)
}

func explain(n node, q *Request) Explanation {
	e := Explanation{Matched: n.match(q)}
	var parts []node
	switch n := n.(type) {
	case and:
		e.Op, parts = "&&", n
	case or:
		e.Op, parts = "||", n
	case not:
		e.Op, parts = "!", []node{n.node}
	case quoted:
		e.Text = n.text
	}
	for _, part := range parts {
		e.Parts = append(e.Parts, explain(part, q))
	}
	return e
}

// Failed are the matchers because of which the rule is not satisfied, as they were
// written; those that should not match have a "!" in front.
func (e Explanation) Failed() []string { return e.blame(true) }

// blame are the matchers because of which a part is not what it should be.
func (e Explanation) blame(wanted bool) (texts []string) {
	switch {
	case e.Matched == wanted:
		return nil
	case e.Op == "!":
		return e.Parts[0].blame(!wanted)
	case e.Op == "" && wanted:
		return []string{e.Text}
	case e.Op == "":
		return []string{"!" + e.Text}
	}
	for _, part := range e.Parts {
		texts = append(texts, part.blame(wanted)...)
	}
	return texts
}
