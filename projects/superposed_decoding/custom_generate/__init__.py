"""For ``model.generate(custom_generate=FOLDER, trust_remote_code=True)``, which looks here."""
