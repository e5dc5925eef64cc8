// Verifies a packet with the packages that Go's checksum database is made of:
//
//	verify PACKET-FOLDER PACKET-KEY.pem LOG.vkey ORGANIZATION CHALLENGE
//
// The checkpoint: sumdb/note. The root of the lines, the proofs of single events, the seal and its
// consistency: sumdb/tlog. The envelope: Go's own crypto/ed25519. The exit code is not 0 at the
// first fault.
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

var packet string

func hold(holds bool, why string, more ...interface{}) {
	if !holds {
		fmt.Fprintf(os.Stderr, "verify.go: "+why+"\n", more...)
		os.Exit(1)
	}
}

func file(name string) []byte {
	octets, err := os.ReadFile(filepath.Join(packet, name))
	hold(err == nil, "%v", err)
	return octets
}

func read(octets []byte, into interface{}) {
	err := json.Unmarshal(octets, into)
	hold(err == nil, "%v", err)
}

func hash(text string) tlog.Hash {
	hash, err := tlog.ParseHash(text)
	hold(err == nil, "%v", err)
	return hash
}

func hashes(texts []string) (hashes []tlog.Hash) {
	for _, text := range texts {
		hashes = append(hashes, hash(text))
	}
	return
}

// The head of a log that the key has signed.
func open(text string, key note.Verifier, origin string) tlog.Tree {
	opened, err := note.Open([]byte(text), note.VerifierList(key))
	hold(err == nil, "checkpoint: %v", err)
	lines := strings.Split(opened.Text, "\n")
	hold(len(lines) == 4 && lines[0] == origin, "the checkpoint is of %q, not of %q", lines[0], origin)
	size, err := strconv.ParseInt(lines[1], 10, 64)
	hold(err == nil, "%v", err)
	return tlog.Tree{N: size, Hash: hash(lines[2])}
}

// A proof of one line: where it stands, and under which head.
func proven(text string, line []byte, key note.Verifier, origin string) (int64, tlog.Tree) {
	parts := strings.SplitN(text, "\n\n", 2)
	lines := strings.Split(parts[0], "\n")
	hold(len(parts) == 2 && len(lines) > 1 && lines[0] == "c2sp.org/tlog-proof@v1", "no proof")
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	hold(err == nil, "%v", err)
	head := open(parts[1], key, origin)
	err = tlog.CheckRecord(hashes(lines[2:]), head.N, head.Hash, index, tlog.RecordHash(line))
	hold(err == nil, "proof of %d: %v", index, err)
	return index, head
}

// All hashes of a log, in the order in which tlog stores them.
type stored []tlog.Hash

func (stored stored) ReadHashes(indexes []int64) (hashes []tlog.Hash, err error) {
	for _, index := range indexes {
		hashes = append(hashes, stored[index])
	}
	return
}

type statement struct {
	Type    string `json:"_type"`
	Subject []struct {
		Name   string
		Digest struct{ SHA256 string }
	}
	Predicate struct {
		Packet       struct{ ID, Challenge string }
		Organization struct{ ID string }
		Issuer       struct{ Name string }
		Log          struct {
			Origin string
			Size   int64
			Root   string `json:"root_sha256"`
		}
	}
}

func signed(pemFile string) (signed statement) {
	var envelope struct {
		PayloadType, Payload string
		Signatures           []struct{ Sig string }
	}
	read(file("packet.dsse.json"), &envelope)
	text, err := os.ReadFile(pemFile)
	hold(err == nil, "%v", err)
	block, _ := pem.Decode(text)
	hold(block != nil, "the packet key is no PEM")
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	key, isKey := public.(ed25519.PublicKey)
	hold(err == nil && isKey, "the packet key is not of Ed25519")
	payload, err := base64.StdEncoding.DecodeString(envelope.Payload)
	hold(err == nil && envelope.PayloadType == "application/vnd.in-toto+json", "no statement")
	message := fmt.Sprintf("DSSEv1 %d %s %d %s", len(envelope.PayloadType), envelope.PayloadType, len(payload), payload)
	isSigned := false
	for _, one := range envelope.Signatures {
		signature, err := base64.StdEncoding.DecodeString(one.Sig)
		isSigned = isSigned || err == nil && ed25519.Verify(key, []byte(message), signature)
	}
	hold(isSigned, "the packet key has not signed it")
	read(payload, &signed)
	return
}

func main() {
	hold(len(os.Args) == 6, "PACKET-FOLDER PACKET-KEY.pem LOG.vkey ORGANIZATION CHALLENGE")
	packet = os.Args[1]
	organization, challenge := os.Args[4], os.Args[5]
	statement := signed(os.Args[2])
	predicate := statement.Predicate
	hold(statement.Type == "https://in-toto.io/Statement/v1", "another type of statement")
	hold(predicate.Organization.ID == organization, "it is about another organization")
	hold(predicate.Packet.Challenge == challenge, "it answers another challenge")
	for _, subject := range statement.Subject {
		found := fmt.Sprintf("%x", sha256.Sum256(file(subject.Name)))
		hold(found == subject.Digest.SHA256, "%s is not what was signed", subject.Name)
	}
	there, err := os.ReadDir(packet)
	hold(err == nil && len(there) == len(statement.Subject)+1, "other files than listed")

	vkey, err := os.ReadFile(os.Args[3])
	hold(err == nil, "%v", err)
	key, err := note.NewVerifier(strings.TrimSpace(string(vkey)))
	hold(err == nil, "%v", err)
	hold(key.Name() == predicate.Issuer.Name, "the log key is of another installation")
	origin := key.Name() + "/organizations/" + organization
	head := open(string(file("checkpoint")), key, origin)

	lines := bytes.Split(file("events.jsonl"), []byte("\n"))
	hold(len(lines[len(lines)-1]) == 0, "the last line has no end")
	lines = lines[:len(lines)-1]
	var all stored
	for version, line := range lines {
		more, err := tlog.StoredHashes(int64(version), line, all)
		hold(err == nil, "%v", err)
		all = append(all, more...)
	}
	size := int64(len(lines))
	root, err := tlog.TreeHash(size, all)
	hold(err == nil && head == tlog.Tree{N: size, Hash: root}, "the checkpoint is of other lines")
	hold(predicate.Log.Origin == origin && predicate.Log.Size == size && predicate.Log.Root == root.String(), "the statement is of another head")

	proofs := 0
	for _, subject := range statement.Subject {
		var version int64
		if count, _ := fmt.Sscanf(subject.Name, "proof-%d.tlog-proof", &version); count != 1 {
			continue
		}
		hold(version >= 0 && version < size, "%s is of no line", subject.Name)
		index, under := proven(string(file(subject.Name)), lines[version], key, origin)
		hold(index == version && under == head, "%s is about something else", subject.Name)
		proofs++
	}
	checkSeal(key, head, organization)

	var last struct {
		Type string
		Data struct{ Packet, Challenge string }
	}
	read(lines[size-1], &last)
	hold(last.Type == "compliance.packet_requested", "the last line asks for no packet")
	hold(last.Data.Packet == predicate.Packet.ID && last.Data.Challenge == challenge, "the last line asks for another packet")

	// the log at any earlier size is a beginning of it
	for earlier := int64(1); earlier <= size; earlier++ {
		proof, err := tlog.ProveTree(size, earlier, all)
		hold(err == nil, "%v", err)
		before, err := tlog.TreeHash(earlier, all)
		hold(err == nil, "%v", err)
		err = tlog.CheckTree(proof, size, head.Hash, earlier, before)
		hold(err == nil, "consistency from %d: %v", earlier, err)
	}
	fmt.Printf("verify.go: %d lines, %d files, %d proofs: ok\n", size, len(statement.Subject), proofs)
}

// The organization's head stood among all heads when they were last sealed.
func checkSeal(key note.Verifier, head tlog.Tree, organization string) {
	var seal struct {
		Event, Leaf        string
		EventProof         string `json:"event_proof"`
		Index, Count       int64
		Proof, Consistency []string
	}
	read(file("seal.json"), &seal)
	proven(seal.EventProof, []byte(seal.Event), key, key.Name()+"/platform")
	var event struct {
		Type string
		Data struct {
			Count int64
			Root  string
		}
	}
	read([]byte(seal.Event), &event)
	hold(event.Type == "ledger.sealed" && event.Data.Count == seal.Count, "the event seals something else")
	var leaf struct {
		Root, Stream string
		Size         int64
	}
	read([]byte(seal.Leaf), &leaf)
	hold(leaf.Stream == "organization-"+organization, "another log was sealed")
	err := tlog.CheckRecord(hashes(seal.Proof), seal.Count, hash(event.Data.Root), seal.Index, tlog.RecordHash([]byte(seal.Leaf)))
	hold(err == nil, "the seal's leaf: %v", err)
	older, newer := tlog.Tree{N: leaf.Size, Hash: hash(leaf.Root)}, head
	if older.N > newer.N {
		older, newer = newer, older
	}
	if older.N == newer.N {
		hold(older == newer, "another head was sealed")
		return
	}
	if older.N == 0 {
		return
	}
	err = tlog.CheckTree(hashes(seal.Consistency), newer.N, newer.Hash, older.N, older.Hash)
	hold(err == nil, "the seal's consistency: %v", err)
}
