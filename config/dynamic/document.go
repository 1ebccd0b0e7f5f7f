package dynamic

import "fairway/internal/decode"

// Lines tell where the objects of a document are written.
type Lines map[object]int

type object struct{ kind, name string }

// Of is the line of an object, from 1; 0 when unknown.
func (l Lines) Of(kind, name string) int { return l[object{kind, name}] }

// ReadDocument reads YAML, TOML or JSON: a file, or what a server answered. ext is the ending
// of its file name with the dot, source what problems name it by. What is wrong with single
// options is among the problems; the error is of a document that cannot be read at all.
func ReadDocument(text []byte, ext, source string) (*Configuration, Lines, error) {
	tree, err := decode.Document(text, ext)
	if err != nil {
		return nil, nil, err
	}
	cfg, lines := &Configuration{}, linesIn(tree)
	for _, fault := range tree.Into(cfg, TraefikOption) {
		p := cfg.Blame(fault)
		p.Source = source
		cfg.Problems = append(cfg.Problems, p)
	}
	if cfg.HTTP == nil {
		cfg.HTTP = &HTTP{}
	}
	cfg.Origin = func(kind, name string) (string, int) { return source, lines.Of(kind, name) }
	return cfg, lines, nil
}

// places are the sections of a document by the kinds of the objects in them.
var places = map[string][2]string{
	KindRouter: {"http", "routers"}, KindService: {"http", "services"}, KindMiddleware: {"http", "middlewares"},
	KindTransport: {"http", "serversTransports"}, KindConsumer: {"http", "consumers"}, KindPlan: {"http", "plans"},
	KindTCPRouter: {"tcp", "routers"}, KindTCPService: {"tcp", "services"}, KindTCPMiddleware: {"tcp", "middlewares"},
	KindTCPTransport: {"tcp", "serversTransports"},
	KindUDPRouter:    {"udp", "routers"}, KindUDPService: {"udp", "services"},
	KindTLSOptions: {"tls", "options"},
}

func linesIn(tree decode.Tree) Lines {
	lines := Lines{}
	for kind, place := range places {
		for _, name := range tree.Names(place[0], place[1]) {
			lines[object{kind, name}] = tree.Line(place[0], place[1], name)
		}
	}
	return lines
}
