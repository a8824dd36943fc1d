"""Video in and out of files and MPEG-TS streams, through PyAV."""
