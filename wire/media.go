package wire

// Media announces one file of a message. The bytes follow outside of the websocket,
// as a resumable upload:
//
//	HEAD   /relay/v1/media/{id}?message=GUID&variant=V    how much of it is there
//	PUT    /relay/v1/media/{id}?…&name=NAME&mime=TYPE     the rest, from that offset
//	DELETE /relay/v1/media/{id}?message=GUID              it will not come
//
// with the relay's credential. HEAD and PUT carry HeaderLength and HeaderDigest of
// the whole file; their answers carry HeaderOffset, and HeaderComplete once the
// cloud has checked size and digest and has the file on disk. 404 means that the
// cloud does not know the message yet, 409 another offset than the cloud's, 422
// other bytes than the digest's, which are dropped.
type Media struct {
	ID   string `json:"id"`             // guid of the attachment
	Name string `json:"name,omitempty"` // from the sender: for people, not a path
	MIME string `json:"mime,omitempty"`
	Size int64  `json:"size,omitempty"` // bytes, 0 while Messages does not say
}

// Limits of media.
const (
	MaxMedia      = 100       // files announced with one message
	MaxMediaBytes = 100 << 20 // of one file
	MaxMediaID    = 200       // bytes of an id
	MaxMediaName  = 200       // bytes of a name
)

// Headers of an upload, named as the IETF's resumable uploads and RFC 9530 do.
const (
	HeaderOffset   = "Upload-Offset"   // bytes that the cloud has
	HeaderLength   = "Upload-Length"   // bytes of the whole file
	HeaderComplete = "Upload-Complete" // "?1" once the file is stored
	HeaderDigest   = "Repr-Digest"     // sha-256=:BASE64:
)

// The variants: copies in a form that more programs read.
const (
	VariantJPEG = "jpeg" // of HEIC and HEIF pictures
	VariantM4A  = "m4a"  // of Core Audio voice notes
)
