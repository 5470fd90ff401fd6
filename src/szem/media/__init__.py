"""Pictures, video and sound: files and streams to arrays and back; drawing."""
