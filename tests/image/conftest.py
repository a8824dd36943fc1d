from image_rig import fake_engine  # noqa: F401  # a fixture
