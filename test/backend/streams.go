package main

import (
	"io"
	"log"
	"net"
	"os"
)

// streams serves what is no HTTP, where it is asked for: GREETER is the port of a server that speaks first, UDP that of
// one that answers datagrams.
func streams() {
	if port := os.Getenv("GREETER"); port != "" {
		l, err := net.Listen("tcp", ":"+port)
		if err != nil {
			log.Fatal(err)
		}
		go greet(l)
	}
	if port := os.Getenv("UDP"); port != "" {
		conn, err := net.ListenPacket("udp", ":"+port)
		if err != nil {
			log.Fatal(err)
		}
		go answer(conn)
	}
}

func greet(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go func() {
			defer conn.Close()
			_, _ = io.WriteString(conn, "I am "+os.Getenv("NAME")+"\n")
			_, _ = io.Copy(conn, conn)
		}()
	}
}

func answer(conn net.PacketConn) {
	buf := make([]byte, 2048)
	for {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			log.Fatal(err)
		}
		_, _ = conn.WriteTo(append([]byte(os.Getenv("NAME")+" "), buf[:n]...), from)
	}
}
