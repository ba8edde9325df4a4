// A partner in Go: the standard library alone.
// usage: go run partner.go URL KEY.pem KEYID
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"
)

// sign signs a request as RFC 9421 has it. Before each attempt: a nonce passes once.
func sign(request *http.Request, body []byte, key ed25519.PrivateKey, keyID string) {
	names := []string{"@method", "@authority", "@path", "@query"}
	values := []string{request.Method, request.URL.Host, request.URL.EscapedPath(), "?" + request.URL.RawQuery}
	if len(body) > 0 {
		hash := sha256.Sum256(body)
		request.Header.Set("Content-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(hash[:])+":")
		names = append(names, "content-type", "content-digest")
		values = append(values, request.Header.Get("Content-Type"), request.Header.Get("Content-Digest"))
	}
	nonce := make([]byte, 16)
	rand.Read(nonce)
	input := fmt.Sprintf(`("%s");created=%d;keyid="%s";alg="ed25519";nonce="%x"`,
		strings.Join(names, `" "`), time.Now().Unix(), keyID, nonce)
	base := ""
	for at, name := range names {
		base += fmt.Sprintf("\"%s\": %s\n", name, values[at])
	}
	signature := ed25519.Sign(key, []byte(base+`"@signature-params": `+input))
	request.Header.Set("Signature-Input", "sig1="+input)
	request.Header.Set("Signature", "sig1=:"+base64.StdEncoding.EncodeToString(signature)+":")
}

func main() {
	file, _ := os.ReadFile(os.Args[2])
	block, _ := pem.Decode(file)
	key, _ := x509.ParsePKCS8PrivateKey(block.Bytes)
	send := func(method, url, body string) {
		request, _ := http.NewRequest(method, url, bytes.NewReader([]byte(body)))
		request.Header.Set("Content-Type", "application/json")
		sign(request, []byte(body), key.(ed25519.PrivateKey), os.Args[3])
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			panic(err)
		}
		answer.Write(os.Stdout)
	}
	send("POST", os.Args[1], `{"sku": 1}`)
	send("GET", os.Args[1]+"?open=yes", "")
}
