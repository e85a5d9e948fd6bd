package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"bluerelay/torture/loopback"
)

// cloudTune are the cloud's waiting times.
const cloudTune = `FAULT_CONFIG={"Ping":1000000000,"Sweep":150000000,"MediaWait":400000000,"FetchRetry":50000000,"MediaStall":1500000000,"ReleaseWait":300000000,"CancelWait":400000000}`

// set builds the world: cloud, hook, proxy, account, and lines with their Macs.
func (r *round) set(ctx context.Context) (err error) {
	if r.address, err = loopback.FreeAddress(); err != nil {
		return err
	}
	if r.proxy, err = newProxy(r.address); err != nil {
		return err
	}
	if r.hook, err = newHook(); err != nil {
		return err
	}
	if r.files, err = newFiles(filepath.Join(r.dir, "roots.pem")); err != nil {
		return err
	}
	if r.disk, err = newDisk(filepath.Join(r.dir, "disk-cloud")); err != nil {
		return err
	}
	if err := r.account1(ctx); err != nil {
		return err
	}
	r.proxy.quiet.Store(true)
	if err := r.startCloud(); err != nil {
		return err
	}
	for i := range lineCount {
		l := &line{round: r, number: numberOf(i), bySMS: i == fallbackLine || r.options.mode == modePoints}
		if l.disk, err = newDisk(filepath.Join(r.dir, fmt.Sprintf("disk-mac%d", i))); err != nil {
			return err
		}
		r.lines = append(r.lines, l)
		if l.mac, err = newMac(ctx, r.bin, filepath.Join(r.dir, fmt.Sprintf("mac%d", i)), l.number, r.options.seed+uint64(i), r.shape); err != nil {
			return err
		}
		fallback := "off"
		if l.bySMS {
			fallback = "on"
		}
		if _, err := run(ctx, nil, r.bin.bluecloud, "line", "add", l.number, "--account", r.account, "--pace", "off", "--sms-fallback="+fallback, "--database", r.database()); err != nil {
			return err
		}
		if l.relay, err = l.newRelay(ctx); err != nil {
			return err
		}
	}
	hook := map[string]any{"url": r.hook.url, "events": []string{"message.received", "message.sent", "message.delivered", "message.failed", "message.read", "message.unknown"}}
	if !r.await(ctx, 20*time.Second, func() bool {
		status, _, err := r.call(ctx, http.MethodPost, "/v1/webhooks", "", hook)
		return err == nil && (status == http.StatusCreated || status == http.StatusConflict)
	}) {
		return errors.New("no webhook can be made")
	}
	r.proxy.quiet.Store(false)
	return nil
}

// account1 makes the one account, while no server runs.
func (r *round) account1(ctx context.Context) error {
	out, err := run(ctx, nil, r.bin.bluecloud, "account", "create", "Torture", "--json", "--database", r.database())
	if err != nil {
		return err
	}
	var made struct {
		AccountID   string `json:"account_id"`
		TextingBlue struct {
			APIKey string `json:"api_key"`
		} `json:"texting_blue"`
	}
	if err := json.Unmarshal([]byte(out), &made); err != nil {
		return fmt.Errorf("read the account: %w", err)
	}
	r.account, r.key = made.AccountID, made.TextingBlue.APIKey
	_, err = run(ctx, nil, r.bin.bluecloud, "account", "set", r.account, "--requests-per-minute", "0", "--database", r.database())
	return err
}

func (r *round) startCloud() (err error) {
	r.cloud, err = keep(filepath.Join(r.dir, "cloud.log"), func() *exec.Cmd {
		cmd := exec.Command(r.bin.bluecloud, "serve", "--database", r.database(), "--listen", r.address,
			"--public-url", r.proxy.url(), "--webhook-allow", "127.0.0.0/8")
		cmd.Env = append(os.Environ(), r.faultEnv(r.planner.env("cloud."))...)
		cmd.Env = append(cmd.Env, cloudTune, "SSL_CERT_FILE="+r.files.roots)
		return cmd
	}, nil)
	return err
}
