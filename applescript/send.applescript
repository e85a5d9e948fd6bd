-- The one script. Every value arrives in argv; nothing is ever spliced into this text.
-- argv: VERB [SERVICE KIND TARGET VALUE]
on run argv
	set theVerb to item 1 of argv
	if theVerb is "probe" then
		with timeout of 10 seconds
			tell application id "com.apple.MobileSMS" to return (count of windows) as text
		end timeout
	end if
	set theService to item 2 of argv
	set theKind to item 3 of argv
	set theName to item 4 of argv
	set theValue to item 5 of argv
	set theLimit to 40
	if theVerb is "send-file" then
		set theLimit to 150
		-- as alias: a missing file fails here, before anything is handed over
		set theValue to (POSIX file theValue) as alias
	end if
	with timeout of theLimit seconds
		tell application id "com.apple.MobileSMS"
			if theKind is "chat" then
				set theTarget to chat id theName
			else if theService is "SMS" then
				set theTarget to participant theName of (1st account whose service type = SMS)
			else if theService is "RCS" then
				set theTarget to participant theName of (1st account whose service type = RCS)
			else
				set theTarget to participant theName of (1st account whose service type = iMessage)
			end if
			-- A reference is lazy: asking for its id makes a wrong target fail before the marker.
			set theID to id of theTarget
			log "bluerelay:dispatch"
			send theValue to theTarget
			return theID
		end tell
	end timeout
end run
