package launchd

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// certificateName is what System Settings and `security find-identity` call this Mac's own
// certificate.
const certificateName = "bluerelay code signing"

// certificateYears is longer than any Mac lives: macOS does not ask for the date of a
// signature's certificate, and another certificate would be another program to it.
const certificateYears = 20

// ErrCertificate says that this Mac's own certificate cannot be made or used.
var ErrCertificate = errors.New("this Mac's own certificate for signing cannot be used")

// certificate is this Mac's own: a self-signed one, with its key in a keychain of its own,
// whose password is beside it in a file of mode 0600. In the login keychain codesign would
// ask on the screen, and could not sign in a session over the network. The file
// certificate.pem is written last: without it the rest is the remains of a crash.
type certificate struct {
	keychain string
	password string
	hash     string // SHA-1 in upper-case hexadecimal, as codesign and security name it
}

// signOwn signs with this Mac's own certificate, which is made where there is none.
func (s Signer) signOwn(ctx context.Context, path string) error {
	c, err := s.own(ctx)
	if err != nil {
		return err
	}
	return s.searching(ctx, c.keychain, func() error {
		return s.codesign(ctx, "--force", "--sign", c.hash, "--keychain", c.keychain, "--identifier", BundleID, path)
	})
}

// own returns this Mac's certificate, its keychain unlocked, and makes it where there is none.
func (s Signer) own(ctx context.Context) (certificate, error) {
	c := certificate{keychain: filepath.Join(s.Dir, "signing.keychain-db")}
	if strings.ContainsAny(c.keychain, "\n\r") {
		return c, fmt.Errorf("%w: %q has a line break in its name", ErrCertificate, c.keychain)
	}
	data, err := os.ReadFile(filepath.Join(s.Dir, "certificate.pem"))
	if errors.Is(err, fs.ErrNotExist) {
		return s.makeOwn(ctx, c)
	}
	if err != nil {
		return c, fmt.Errorf("read the certificate for signing: %w", err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return c, s.damaged()
	}
	password, err := os.ReadFile(filepath.Join(s.Dir, "password"))
	if err != nil {
		return c, fmt.Errorf("read the password of the keychain for signing: %w", err)
	}
	c.password, c.hash = strings.TrimSpace(string(password)), fingerprint(block.Bytes)
	if _, err := os.Stat(c.keychain); errors.Is(err, fs.ErrNotExist) {
		return c, s.damaged()
	}
	if err := s.secure(ctx, fmt.Sprintf("unlock-keychain -p %s %s\n", c.password, quote(c.keychain))); err != nil {
		return c, err
	}
	switch there, err := s.holds(ctx, c); {
	case err != nil:
		return c, err
	case !there:
		return c, s.damaged()
	}
	return c, nil
}

// damaged does not make another certificate by itself: the permissions would be lost
// without anybody having said so.
func (s Signer) damaged() error {
	return fmt.Errorf("%w: %s is damaged. Put it back if you have a copy, or remove it and install again; then the permissions have to be given again", ErrCertificate, s.Dir)
}

// makeOwn makes key, certificate and keychain.
func (s Signer) makeOwn(ctx context.Context, c certificate) (certificate, error) {
	if err := os.RemoveAll(s.Dir); err != nil {
		return c, fmt.Errorf("clear the folder of the certificate: %w", err)
	}
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return c, fmt.Errorf("make the folder of the certificate: %w", err)
	}
	key, der, err := selfSign(time.Now())
	if err != nil {
		return c, fmt.Errorf("make the certificate for signing: %w", err)
	}
	c.password, c.hash = rand.Text(), fingerprint(der)
	keyFile, certFile := filepath.Join(s.Dir, "key.pem"), filepath.Join(s.Dir, "certificate.new")
	defer os.Remove(keyFile)
	for name, data := range map[string][]byte{
		filepath.Join(s.Dir, "password"): []byte(c.password + "\n"),
		keyFile:                          pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}),
		certFile:                         pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
	} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			return c, fmt.Errorf("write the certificate for signing: %w", err)
		}
	}
	chain := quote(c.keychain)
	// -x: the key does not leave the keychain again. The partition list lets codesign use
	// it without a question on the screen. Without settings the keychain locks itself.
	if err := s.secure(ctx, fmt.Sprintf("create-keychain -p %[1]s %[2]s\nset-keychain-settings %[2]s\nunlock-keychain -p %[1]s %[2]s\n"+
		"import %[3]s -k %[2]s -x -T %[5]s\nimport %[4]s -k %[2]s\nset-key-partition-list -S apple-tool:,apple:,codesign: -s -k %[1]s %[2]s\n",
		c.password, chain, quote(keyFile), quote(certFile), quote(s.Tools.Path("codesign")))); err != nil {
		return c, err
	}
	switch there, err := s.holds(ctx, c); {
	case err != nil:
		return c, err
	case !there:
		return c, fmt.Errorf("%w: the keychain %s does not hold it after it was put there. Try again; if that does not help, sign with --identity", ErrCertificate, c.keychain)
	}
	if err := syncTree(s.Dir); err != nil {
		return c, fmt.Errorf("write the certificate for signing: %w", err)
	}
	if err := os.Rename(certFile, filepath.Join(s.Dir, "certificate.pem")); err != nil {
		return c, fmt.Errorf("write the certificate for signing: %w", err)
	}
	return c, syncPath(s.Dir)
}

// selfSign makes a key and a certificate that may sign code and nothing else.
func selfSign(now time.Time) (*rsa.PrivateKey, []byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 126))
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: certificateName},
		// A day back: the clock of a new Mac may be set right later.
		NotBefore:             now.AddDate(0, 0, -1),
		NotAfter:              now.AddDate(certificateYears, 0, 0),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return key, der, err
}

func fingerprint(der []byte) string { return fmt.Sprintf("%X", sha1.Sum(der)) }

// secure gives commands to `security -i` on its standard input, where no list of processes
// shows their secrets. What the commands came to is asked afterwards: the exit code of an
// interactive security is that of its last command at best.
func (s Signer) secure(ctx context.Context, commands string) error {
	_, err := s.Tools.Run(ctx, signLimit, []byte(commands), "security", "-i")
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return fmt.Errorf("%w: the keychain does not answer. Answer the question of macOS on the screen, if there is one, and try again", ErrCertificate)
	}
	return err
}

// holds tells whether the keychain has certificate and key. With an error nobody knows:
// whoever took that for damage would have a person throw the permissions away.
func (s Signer) holds(ctx context.Context, c certificate) (bool, error) {
	r, err := s.Tools.Run(ctx, askLimit, nil, "security", "find-identity", "-p", "codesigning", c.keychain)
	switch {
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
		return false, fmt.Errorf("%w: whether its keychain holds it could not be asked within %s. Answer the question of macOS on the screen, if there is one, and try again", ErrCertificate, askLimit)
	case err != nil:
		return false, err
	case r.Code != 0:
		return false, fmt.Errorf("%w: whether its keychain holds it could not be asked (security ended with %d). Try again; if it stays so, restart the Mac. %s is to stay as it is: the permissions are bound to it", ErrCertificate, r.Code, s.Dir)
	}
	return strings.Contains(string(r.Out), c.hash), nil
}

// searching runs do while keychain is on the user's search list: codesign finds nothing in
// one that is not, whatever --keychain says. It does not stay there, because programs that
// look for certificates would ask for its password.
func (s Signer) searching(ctx context.Context, keychain string, do func() error) error {
	r, err := s.Tools.Run(ctx, askLimit, nil, "security", "list-keychains", "-d", "user")
	if err != nil {
		return err
	}
	list, ok := readKeychains(string(r.Out))
	if r.Code != 0 || !ok {
		return fmt.Errorf("%w: the list of your keychains cannot be read (security ended with %d): see `security list-keychains`", ErrCertificate, r.Code)
	}
	list = slices.DeleteFunc(list, func(k string) bool { return k == keychain })
	set := func(ctx context.Context, list []string) error {
		r, err := s.Tools.Run(ctx, askLimit, nil, "security", append([]string{"list-keychains", "-d", "user", "-s"}, list...)...)
		if err == nil && r.Code != 0 {
			err = fmt.Errorf("%w: the list of your keychains cannot be set (security ended with %d)", ErrCertificate, r.Code)
		}
		return err
	}
	if err := set(ctx, append(slices.Clone(list), keychain)); err != nil {
		return err
	}
	return errors.Join(do(), set(context.WithoutCancel(ctx), list))
}

// readKeychains reads the paths that security lists, each in quotes on a line of its own.
// It is false where a line is anything else: a list that was misread must not be set.
func readKeychains(said string) ([]string, bool) {
	var list []string
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if len(line) < 3 || line[0] != '"' || line[len(line)-1] != '"' || line[1] != '/' {
			return nil, false
		}
		list = append(list, line[1:len(line)-1])
	}
	return list, true
}

// quote makes one argument of a path for the commands of `security -i`.
func quote(path string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(path) + `"`
}
