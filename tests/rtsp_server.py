"""An RTSP camera for the tests: serves coded pictures over and over, as GStreamer's RTSP server sends them.

A program of its own, for whichever Python has PyGObject (Debian: python3-gi, gir1.2-gst-rtsp-server-1.0 and
gstreamer1.0-plugins-good); the tests start and kill it.

Usage: rtsp_server.py FILE PORT RATE_HZ TRANSPORT [USER PASSWORD]. FILE holds H.264 pictures, each after its length in
four bytes; TRANSPORT is tcp, udp or any. Prints its port once it can be asked; with --try, says only whether it could
be asked.
"""

import sys
from pathlib import Path


def pictures_in(file: Path) -> list[bytes]:
    data, pictures = file.read_bytes(), []
    while data:
        length = int.from_bytes(data[:4], "big")
        pictures.append(data[4 : 4 + length])
        data = data[4 + length :]
    return pictures


def main() -> None:
    import gi  # type: ignore[import-not-found]

    for margin in ("Gst", "GstRtsp", "GstRtspServer"):
        gi.require_version(margin, "1.0")
    from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # type: ignore[import-not-found]

    Gst.init(None)
    missing = [name for name in ("appsrc", "rtph264pay") if Gst.ElementFactory.find(name) is None]
    if missing:
        sys.exit(f"GStreamer lacks {', '.join(missing)}")
    if sys.argv[1:] == ["--try"]:
        return
    pictures, port, rate_hz, transport = pictures_in(Path(sys.argv[1])), sys.argv[2], float(sys.argv[3]), sys.argv[4]

    def begin(_: object, media: GstRtspServer.RTSPMedia) -> None:
        source, count, is_over = media.get_element().get_by_name("pictures"), 0, False

        def push() -> bool:
            nonlocal count
            buffer = Gst.Buffer.new_wrapped(pictures[count % len(pictures)])
            # On a busy machine the first ones come before the pipeline takes any: the film begins when it does.
            count += source.emit("push-buffer", buffer) == Gst.FlowReturn.OK
            return not is_over

        def end(_: object) -> None:
            nonlocal is_over
            is_over = True

        media.connect("unprepared", end)
        GLib.timeout_add(round(1000 / rate_hz), push)

    camera = GstRtspServer.RTSPMediaFactory()
    camera.connect("media-configure", begin)
    kind = "video/x-h264,stream-format=byte-stream,alignment=au"
    camera.set_launch(
        f"( appsrc name=pictures is-live=true do-timestamp=true format=time caps={kind} "
        "! rtph264pay name=pay0 pt=96 config-interval=-1 )"
    )
    camera.set_shared(True)  # whoever comes later comes into the middle, as with a camera
    kinds = {"tcp": GstRtsp.RTSPLowerTrans.TCP, "udp": GstRtsp.RTSPLowerTrans.UDP}
    if transport in kinds:
        camera.set_protocols(kinds[transport])
    server = GstRtspServer.RTSPServer(address="127.0.0.1", service=port)
    if len(sys.argv) > 6:
        guard, guest = GstRtspServer.RTSPAuth(), GstRtspServer.RTSPToken()
        guest.set_string("media.factory.role", "guest")
        guard.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        guard.add_digest(sys.argv[5], sys.argv[6], guest)
        server.set_auth(guard)
        rights = GstRtspServer.RTSPPermissions()
        for right in ("media.factory.access", "media.factory.construct"):
            rights.add_permission_for_role("guest", right, True)
        camera.set_permissions(rights)
    server.get_mount_points().add_factory("/live", camera)
    if server.attach(None) == 0:
        sys.exit(f"port {port} is taken")
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
