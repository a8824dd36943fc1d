"""A clip that streams as the example's does, for less: the same pictures and sound, small."""

import av

SIZE = 320, 180


def shorten(source, path, *, seconds):
    """Write the first seconds of a clip, its pictures small, and its sound."""
    with av.open(str(source)) as container, av.open(str(path), "w") as target:
        video, sound = container.streams.video[0], container.streams.audio[0]
        pictures = target.add_stream("libx264", rate=video.average_rate, options={"crf": "18", "bf": "0"})
        pictures.width, pictures.height, pictures.pix_fmt = *SIZE, "yuv420p"
        pictures.codec_context.time_base = video.time_base
        samples = target.add_stream("aac", rate=sound.rate, layout=sound.layout.name)
        for frame in container.decode(video, sound):
            if frame.time >= seconds:
                continue
            if isinstance(frame, av.AudioFrame):
                target.mux(samples.encode(frame))
                continue
            frame.pict_type = 0  # the encoder's own choice
            target.mux(pictures.encode(frame.reformat(*SIZE)))
        target.mux(pictures.encode())
        target.mux(samples.encode())
    return path
